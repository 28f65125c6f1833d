"""The report of benchmarks: shares, paired differences, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from studio.cli.answers import VIEWS
from studio.core.errors import ConfigError
from studio.evaluation import benchmarks, continuations
from studio.workflows.benchmarks import cut


def rows(right: list[int]) -> dict[str, Any]:
    made = [
        {"row": f"arc_easy {at}", "filter": "none", "acc_norm": float(value), "acc": 0.0}
        for at, value in enumerate(right)
    ]
    return {"arc_easy": made}


def test_what_was_gained_lost_and_not_shown() -> None:
    base = [1, 0] * 50
    gained, lost, same = [1] * 100, [0] * 100, [1, 0] * 49 + [0, 1]
    found = benchmarks.report(
        ["base", "up", "down", "level"], [rows(each) for each in (base, gained, lost, same)]
    )
    (one,) = found
    assert (one["label"], one["metric"], one["rows"]) == ("ARC-Easy", "acc_norm", 100)
    assert [column["value"] for column in one["columns"]] == [0.5, 1.0, 0.0, 0.5]
    verdicts = [each["verdict"] for each in one["differences"]]
    assert verdicts == ["gained", "lost", "no difference shown"]
    up, _, level = one["differences"]
    assert up["value"] == 0.5 and 0.35 < up["low"] < 0.5 < up["high"] < 0.65
    assert (level["better"], level["worse"]) == (1, 1)
    told = VIEWS["score"].render({"benchmarks": found, "version": "0.4.13"})
    assert "ARC-Easy (acc_norm)" in told and "+50.0 points (" in told and "gained" in told


def test_rows_that_a_column_lacks_are_in_no_figure() -> None:
    (one,) = benchmarks.report(["base", "run"], [rows([1, 0, 1]), rows([1, 0])])
    assert one["rows"] == 2
    other = {"arc_easy": [{"row": "arc_easy 0", "filter": "none", "accuracy": 1.0}]}
    with pytest.raises(ConfigError, match=r"gave no acc_norm .* 0\.4\.13"):
        benchmarks.report(["base"], [other])


def test_names_are_checked() -> None:
    assert benchmarks.checked(["gsm8k", "gsm8k"]) == ("gsm8k",)
    assert benchmarks.checked([]) == tuple(benchmarks.BENCHMARKS)
    with pytest.raises(ConfigError, match='Did you mean "hellaswag"'):
        benchmarks.checked(["helaswag"])


def test_answers_are_cut_at_the_first_word_that_ends_them() -> None:
    assert cut("It is 7.\nQuestion: x</s>", ["</s>", "Question:"]) == "It is 7.\n"
    assert cut("It is 7.", ["Question:"]) == "It is 7."


class Letters:
    """Each character is a token; no beginning of text."""

    bos_token_id, eos_token_id = None, 0

    def __call__(self, text: str) -> dict[str, list[int]]:
        return {"input_ids": [ord(letter) for letter in text]}


def test_a_continuation_is_scored_and_nothing_else() -> None:
    found = continuations.encoded(Letters(), "ab ", "cd", None)
    assert bytes(found.ids) == b"ab cd" and found.scored == [False] * 2 + [True] * 3
    cut_off = continuations.encoded(Letters(), "abcdef", "gh", 4)
    assert bytes(cut_off.ids) == b"efgh" and cut_off.scored == [False, False, True, True]
    alone = continuations.encoded(Letters(), "", "ab", None)
    assert alone.ids == [0, 97, 98] and alone.scored == [False, True, True]
    longer = continuations.encoded(Letters(), "a", "bcdef", 3)  # nothing comes before the first
    assert bytes(longer.ids) == b"def" and longer.scored == [False, True, True]
