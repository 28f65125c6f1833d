"""Turns in every spelling become messages, or a sentence that names the turn."""

import pytest

from studio.data.formats.chat_turns import shape_of, to_messages, tool_calls
from studio.data.types import RowError
from tests.unit.data.making import assistant, system, user


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        (None, "nothing"),
        (True, "bool"),
        (3.5, "number"),
        ("text", "string"),
        ([], "list"),
        (["a", "b"], "strings"),
        ([1, 2.0], "numbers"),
        ([["a", "b"], ["c", None]], "pairs"),
        ([{"user": "a", "assistant": "b"}], "pairs"),
        ({"role": "user", "content": "a"}, "turn"),
        ([{"From": "human", "Value": "a"}], "turns"),
        ('[{"role": "user", "content": "a"}]', "turns"),
        ({"from": ["human", "gpt"], "value": ["a", "b"]}, "turns"),
        ([{"x": 1}], "objects"),
        ({"x": 1}, "object"),
    ],
)
def test_shapes_are_told_apart(value, shape):
    assert shape_of(value) == shape


@pytest.mark.parametrize(
    "value",
    [
        [user("a"), assistant("b")],
        [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}],
        [["a", "b"]],
        [{"user": "a"}, {"assistant": "b"}],
        [{"question": "a", "answer": "b"}],
        '[{"Speaker": "USER", "Utterance": "a"}, {"Speaker": "SYSTEM", "Utterance": "b"}]',
        [user([{"type": "text", "text": "a"}]), {"role": "model", "parts": [{"text": "b"}]}],
    ],
)
def test_the_same_two_turns_in_any_spelling(value):
    assert to_messages(value, "turns") == [user("a"), assistant("b")]


def test_a_pair_may_bring_its_system_prompt():
    pair = {"system": "s", "input": "a", "output": "b"}
    assert to_messages([pair], "turns") == [system("s"), user("a"), assistant("b")]


@pytest.mark.parametrize(
    ("value", "kind", "where"),
    [
        (None, "missing_field", '"turns"'),
        ([], "empty_field", '"turns"'),
        (7, "wrong_type", '"turns"'),
        ([user("a"), {"content": "b"}], "missing_field", "Turn 2"),
        ([{"role": "elf", "content": "a"}], "unknown_role", "Turn 1"),
        ([user({"type": "image"})], "wrong_type", "Turn 1"),
        ([{"role": "assistant", "content": "", "tool_calls": [{}]}], "wrong_type", "Turn 1"),
    ],
)
def test_a_turn_that_cannot_be_read_is_named(value, kind, where):
    with pytest.raises(RowError) as caught:
        to_messages(value, "turns")
    assert (caught.value.kind, caught.value.field) == (kind, "turns")
    assert where in caught.value.message and caught.value.message.endswith(".")


def test_tool_calls_have_their_arguments_as_objects():
    written = '{"name": "roll", "parameters": "{\\"sides\\": 6}", "id": "c1"}'
    function = {"name": "roll", "arguments": {"sides": 6}}
    assert tool_calls(written) == [{"type": "function", "function": function, "id": "c1"}]
    assert tool_calls("no call") is None
