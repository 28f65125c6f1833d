"""Token problems of rows: too long, nothing trained, equal after truncation."""

import random

import pytest

from studio.core.errors import ConfigError
from studio.data import read
from studio.data.prepared.browse import ReadRows
from studio.data.prepared.token_checks import KINDS, check_tokens, tell
from tests.unit.data.making import said, write
from tests.unit.data.tokens.templates import ROWS, dressed


def test_rows_are_counted_in_tokens_as_they_are_trained(tmp_path, tokenizer):
    chance = random.Random(1)
    long = said(chance, 80)
    rows = [
        {"prompt": "short", "chosen": "yes it is", "rejected": "no"},
        {"prompt": long, "chosen": "yes it is", "rejected": "no"},
        {"prompt": "short too", "chosen": long + " a", "rejected": long + " b"},
    ]
    with read(write(tmp_path, rows)) as reading:
        before = dict(reading.problems.counts)
        found = check_tokens(reading, tokenizer, max_length=32)
        listed = reading.problems
        assert {kind: listed.counts[kind] for kind in KINDS if kind in listed.counts} == {
            "over_length": 2,
            "nothing_trained": 1,
            "equal_after_truncation": 2,
        }
        assert [(p.file, p.row) for p in listed.page("nothing_trained")] == [("rows.jsonl", 2)]
        browsed = ReadRows(reading)
        assert browsed.find("equal_after_truncation", "").tolist() == [1, 2]
        told = {p.kind: p.message for p in browsed.show(2).problems}
        assert list(told) == ["near_duplicate", "over_length", "equal_after_truncation"]
        assert "(chosen): the last" in told["over_length"]
        assert listed.write(tmp_path / "long.jsonl", "over_length") == 2
        tell(reading, found, 4096)  # at another limit, without counting again
        assert dict(reading.problems.counts) == before
        few = check_tokens(reading, tokenizer, max_length=None, most=2)
        assert (few.measured, few.rows) == (2, 3)
        with pytest.raises(ConfigError, match="max_length is 0"):
            check_tokens(reading, tokenizer, max_length=0)


def test_rows_whose_turns_the_template_changes_are_listed(tmp_path, tokenizer):
    rows = [{"messages": ROWS["one turn"]}, {"messages": ROWS["several turns"]}]
    with read(write(tmp_path, rows)) as reading:
        found = check_tokens(reading, dressed(tokenizer, "qwen3"), max_length=None)
        assert list(found.changed) == [1]
        told = list(reading.problems.page("template_changes"))
        assert [problem.row for problem in told] == [2]
        assert "the answer of turn 2 differently" in told[0].message
        check_tokens(reading, dressed(tokenizer, "qwen2_5"), max_length=None)
        assert "template_changes" not in reading.problems.counts
