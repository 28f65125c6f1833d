"""Single fields of a row, read in every form that sources use."""

import pytest

from studio.data.formats.field_values import (
    answer_of,
    earlier_turns,
    prompt_messages,
    side_messages,
    text_of,
)
from studio.data.types import RowError
from tests.unit.data.making import assistant, system, user


@pytest.mark.parametrize(
    "value",
    [
        "yes",
        assistant("yes"),
        {"Value": "yes", "Aliases": ["y"]},
        {"text": ["yes", "no"], "answer_start": [1, 2]},
        ["yes", "no"],
    ],
)
def test_an_answer_is_read_out_of_text_turns_objects_and_lists(value):
    assert answer_of({"a": value}, "a") == "yes"


@pytest.mark.parametrize(
    ("row", "kind"), [({}, "missing_field"), ({"a": 5}, "wrong_type"), ({"a": True}, "wrong_type")]
)
def test_a_field_that_is_no_text_is_refused_and_never_written_out(row, kind):
    with pytest.raises(RowError) as caught:
        text_of(row, "a")
    assert (caught.value.kind, caught.value.field) == (kind, "a")


def test_the_prompt_is_system_history_then_instruction_and_input():
    row = {"s": "S", "h": [["a", "b"]], "q": "Q", "i": "I"}
    mapping = {"system": "s", "history": "h", "prompt": "q", "input": "i"}
    expected = [system("S"), user("a"), assistant("b"), user("Q\n\nI")]
    assert prompt_messages(row, mapping) == expected
    assert prompt_messages({"q": "", "i": "I"}, {"prompt": "q", "input": "i"}) == [user("I")]


def test_earlier_turns_are_pairs_texts_or_a_transcript():
    for value in ([["a", "b"]], ["a", "b"], "Human: a\n\nAssistant: b"):
        assert [turn["content"].strip() for turn in earlier_turns(value, "h")] == ["a", "b"]
    assert earlier_turns(None, "h") == earlier_turns("  ", "h") == []


def test_one_side_of_a_pair_is_always_messages():
    assert side_messages({"c": "yes"}, "c") == [assistant("yes")]
    assert side_messages({"c": ["yes", "sure"]}, "c") == [assistant("yes")]
    assert side_messages({"c": [assistant("yes")]}, "c") == [assistant("yes")]
    assert side_messages({"c": {"text": "yes"}}, "c") == [assistant("yes")]
