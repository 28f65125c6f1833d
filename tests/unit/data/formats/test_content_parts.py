"""Parts of a message are its text, its thinking, its calls and their results."""

import json

import pytest

from studio.data.formats.chat_turns import to_messages
from studio.data.types import RowError

CALL = {"type": "function", "function": {"name": "roll", "arguments": {"sides": 6}}}
BODY = json.dumps(CALL["function"])


@pytest.mark.parametrize(
    "parts",
    [
        [{"type": "reasoning", "value": "Hm."}, {"type": "tool_call", "value": BODY}],
        [
            {"type": "thinking", "thinking": "Hm.", "signature": "x"},
            {"type": "tool_use", "name": "roll", "input": {"sides": 6}},
        ],
        [
            {"text": "Hm.", "thought": True},
            {"functionCall": {"name": "roll", "args": {"sides": 6}}},
        ],
        [
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]},
            {"type": "function_call", "name": "roll", "arguments": '{"sides": 6}'},
        ],
    ],
)
def test_thinking_and_calls_of_every_spelling_are_fields_of_the_message(parts):
    [turn] = to_messages([{"role": "assistant", "content": parts}], "messages")
    wanted = {"role": "assistant", "content": "", "reasoning_content": "Hm.", "tool_calls": [CALL]}
    assert turn == wanted


def test_a_users_parts_with_a_tools_result_become_a_turn_of_the_tool():
    result = {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": 5}]}
    with pytest.raises(RowError, match="type text"):
        to_messages([{"role": "user", "content": [result]}], "messages")
    result["content"] = "5"
    tool = {"role": "tool", "content": "5", "tool_call_id": "t1"}
    assert to_messages([{"role": "user", "content": [result]}], "messages") == [tool]
    both = [result, {"type": "text", "text": "And?"}]
    said = to_messages([{"role": "user", "content": both}], "messages")
    assert said == [tool, {"role": "user", "content": "And?"}]


def test_a_call_without_a_name_refuses_its_row():
    turn = {"role": "assistant", "content": [{"type": "tool_use", "input": {}}]}
    with pytest.raises(RowError, match="without a name"):
        to_messages([turn], "messages")
