"""Glaive's conversations in one text become messages with tools."""

import json

import pytest

from studio.data.formats import glaive
from studio.data.types import RowError
from tests.unit.data.formats.recognition import check_case
from tests.unit.data.making import assistant, system, user

TOOL = {"name": "convert", "parameters": {"type": "object", "properties": {}}}
CALL = {"type": "function", "function": {"name": "convert", "arguments": {"amount": 5}}}
ROW = {
    "system": f"SYSTEM: You have these functions. Use them if required -\n{json.dumps(TOOL)}\n",
    "chat": (
        "USER: Five?\n\n\nASSISTANT: I look. <functioncall> "
        '{"name": "convert", "arguments": \'{"amount": 5}\'} <|endoftext|>\n\n\n'
        'FUNCTION RESPONSE: {"a": 1}\n\n\nASSISTANT: One. <|endoftext|>\n'
    ),
}


def test_a_conversation_in_one_text_becomes_turns_calls_and_tools(tmp_path):
    turns = [
        system("You have these functions. Use them if required"),
        user("Five?"),
        {**assistant("I look."), "tool_calls": [CALL]},
        {"role": "tool", "content": '{"a": 1}'},
        assistant("One."),
    ]
    tools = json.dumps([{"type": "function", "function": TOOL}])
    check_case(tmp_path, glaive, ROW, "conversational", {"messages": turns, "tools": tools})


@pytest.mark.parametrize(
    ("chat", "said"),
    [("Five?", "does not begin with USER"), ("USER: A ASSISTANT: <functioncall> {", "no JSON")],
)
def test_a_text_that_cannot_be_taken_apart_refuses_its_row(chat, said):
    with pytest.raises(RowError, match=said):
        glaive.FAMILIES[0].convert({"chat": chat}, {"messages": "chat"})
