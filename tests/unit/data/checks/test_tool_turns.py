"""Calls, results and fields of turns that make a row worth a look."""

import pytest

from studio.data.checks.row_checks import check
from tests.unit.data.making import assistant, inspected, user

TOOLS = '[{"type": "function", "function": {"name": "weather", "parameters": {}}}]'
RESULT = {"role": "tool", "content": "5"}


def call(name="weather", arguments=None):
    function = {"name": name, "arguments": {} if arguments is None else arguments}
    return assistant("") | {"tool_calls": [{"type": "function", "function": function}]}


def warned(*turns, tools: str | None = TOOLS):
    row = {"messages": list(turns)} | ({"tools": tools} if tools else {})
    return {kind: message for kind, message, _, _ in check(row, "conversational")}


@pytest.mark.parametrize(
    "turns",
    [
        (user("w?"), call(), RESULT, RESULT, assistant("ok")),
        (user("w?"), assistant("<tool_call>in words</tool_call>"), RESULT, assistant("ok")),
        (user("w?"), assistant("no") | {"weight": 0}, user("w?"), assistant("ok")),
        (user("w?") | {"train": True}, assistant("no") | {"train": False}),
    ],
)
def test_a_sound_row_is_not_warned_of(turns):
    assert warned(*turns) == {}


@pytest.mark.parametrize(
    ("turns", "kind", "told"),
    [
        ((user("w?"), RESULT, call()), "result_without_call", 'Turn 2 of "messages" is a tool\'s'),
        ((user("w?"), call("fly")), "unknown_tool", 'calls "fly", which is not among'),
        ((user("w?"), call(arguments="{city: P")), "call_arguments", 'no JSON object: "{city: P"'),
        ((user("w?"), call(arguments=[1])), "call_arguments", "no JSON object: [1]."),
        ((user("w?"), assistant("no") | {"weight": 0}), "untrained", "the row teaches nothing"),
    ],
)
def test_a_row_that_is_not_is_warned_of(turns, kind, told):
    assert told in warned(*turns)[kind]


def test_without_tools_any_may_be_called():
    assert warned(user("w?"), call("fly"), tools=None) == {}


def test_an_answer_is_looked_at_beside_its_prompt():
    row = {"prompt": [user("w?"), call()], "completion": [RESULT, call("fly")], "tools": TOOLS}
    kinds = [found[0] for found in check(row, "prompt_completion")]
    assert "unknown_tool" in kinds and "result_without_call" not in kinds


@pytest.mark.parametrize("field", ["reasoning_content", "thinking", "reasoning"])
@pytest.mark.parametrize("thought", [["a step"], {"text": "a step"}])
def test_thinking_that_is_no_text_is_refused_and_not_lost(tmp_path, field, thought):
    row = {"messages": [user("a"), assistant("b") | {field: thought}]}
    plain = [{"messages": [user(f"q{n}"), assistant("b") | {field: ""}]} for n in range(5)]
    found = inspected(tmp_path, [*plain, row]).problems
    (problem,) = [one for one in found if one.kind == "wrong_type"]
    assert problem.row == 6
    assert f"in {field}; write the thinking as one text." in problem.message
