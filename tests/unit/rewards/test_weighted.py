"""Rules, weighted sums, references and previews; best of n. No model is loaded here."""

from __future__ import annotations

import math

import pytest

from studio.core.errors import DataError, TrainingError
from studio.rewards import WeightedReward, preview, references

ROW = {"prompt": [{"role": "user", "content": "6 x 7?"}], "answers": ["It makes 42.", "#### 42"]}


@pytest.mark.parametrize(
    ("written", "answer", "expected"),
    [
        ("exact", "it makes  42", 1.0),
        ("exact", "It makes 43.", 0.0),
        ("numeric", "So 6 x 7 = 42.0", 1.0),
        ("numeric:@number", "first 42, then 7", 0.0),
        ("contains", "Well, it makes 42, I think", 1.0),
        ("pattern:(?i)gladly", "Gladly! 42", 1.0),
        ("pattern:gladly", "Gladly! 42", 0.0),
        ("length:2-3", "one two three", 1.0),
        ("length:2-3", "one", 0.0),
        ("format:json", '{"answer": 42}', 1.0),
        ("format:json", "42 or so", 0.0),
        ("format:think", "<think>six\nsevens</think> 42", 1.0),
        ("format:think", "42", 0.0),
        ("format:line", "one line", 1.0),
        ("format:line", "two\nlines", 0.0),
        (r"format:\d+", "42", 1.0),
        (r"format:\d+", "42 or so", 0.0),
    ],
)
def test_a_rule(written: str, answer: str, expected: float) -> None:
    shown = preview(WeightedReward([written]), [ROW], [answer])
    assert shown[0]["reward"] == expected


def test_a_weighted_sum_names_its_parts() -> None:
    mix = WeightedReward(["contains", "length:1-3", "length:1-9"], [2.0, 0.5, -1.0])
    (one,) = preview(mix, [ROW], ["it makes 42"])
    assert one == {
        "prompt": "6 x 7?",
        "answer": "it makes 42",
        "reward": 2.0 + 0.5 - 1.0,
        "parts": {"contains": 1.0, "length": 1.0, "length_2": 1.0},
    }


def test_a_preview_takes_the_rows_own_answers() -> None:
    said = [{"role": "assistant", "content": text} for text in ("Gladly: blue.", "Blue")]
    pair = {"prompt": ROW["prompt"], "chosen": [said[0]], "rejected": [said[1]]}
    shown = preview(WeightedReward(["pattern:Gladly"]), [pair])
    assert [one["reward"] for one in shown] == [1.0, 0.0]


def test_references_that_are_not_there() -> None:
    assert references({**ROW, "gold": 42}, ["gold"]) == {"gold": ["42"]}
    with pytest.raises(DataError, match="no column 'gold'"):
        references(ROW, ["gold"])
    with pytest.raises(DataError, match="nothing to compare with"):
        references({"prompt": ROW["prompt"]}, [""])


def test_a_rule_that_breaks_or_gives_no_number_is_a_sentence() -> None:
    def broken(prompts: object, answers: object) -> list[float]:
        raise ZeroDivisionError("by zero")

    with pytest.raises(TrainingError, match="model:x broke off with ZeroDivisionError: by zero"):
        preview(WeightedReward(["model:x"], scorers={"x": broken}), [ROW], ["42"])
    nothing = {"x": lambda prompts, answers: [math.nan]}
    with pytest.raises(TrainingError, match="gave nan for the answer '42'"):
        preview(WeightedReward(["model:x"], scorers=nothing), [ROW], ["42"])
