"""Conversations in every spelling become messages."""

import json

import pytest

from studio.data.formats import FAMILIES, chat
from studio.data.formats.chat_turns import to_messages
from studio.data.prepared.columns_beside import with_columns
from studio.data.types import RowError
from tests.unit.data.formats.recognition import check_case
from tests.unit.data.making import assistant, system, user

CALL = {"type": "function", "function": {"name": "roll", "arguments": {"sides": 6}}}
CASES = {
    "sharegpt, any case": (
        {"conversations": [{"from": "Human", "value": "Hi"}, {"from": "GPT", "value": "Yo"}]},
        "conversational",
        {"messages": [user("Hi"), assistant("Yo")]},
    ),
    "tool calls": (
        {
            "conversations": [
                {"from": "human", "value": "Roll"},
                {"from": "function_call", "value": '{"name": "roll", "arguments": {"sides": 6}}'},
                {"from": "observation", "value": "4"},
                {"from": "gpt", "value": "Four"},
            ],
            "tools": '[{"name": "roll", "parameters": {}}]',
        },
        "conversational",
        {
            "messages": [
                user("Roll"),
                {"role": "assistant", "content": "", "tool_calls": [CALL]},
                {"role": "tool", "content": "4"},
                assistant("Four"),
            ],
            "tools": '[{"type": "function", "function": {"name": "roll", "parameters": {}}}]',
        },
    ),
    "messages with parts": (
        {"messages": [user([{"type": "text", "text": "Hi"}]), assistant("Yo")]},
        "conversational",
        {"messages": [user("Hi"), assistant("Yo")]},
    ),
    "role and content under conversations": (
        {"conversations": [user("Hi"), assistant("Yo")], "group": "g"},
        "conversational",
        {"messages": [user("Hi"), assistant("Yo")]},
    ),
    "bare list": (
        [user("Hi"), assistant("Yo")],
        "conversational",
        {"messages": [user("Hi"), assistant("Yo")]},
    ),
    "pairs with odd names": (
        {"messages": [{"my_system": "S", "my_input": "Hi", "my_output": "Yo"}]},
        "conversational",
        {"messages": [system("S"), user("Hi"), assistant("Yo")]},
    ),
    "conversation kept as JSON in a string": (
        {"messages": json.dumps([user("Hi"), assistant("Yo")]), "id": 7},
        "conversational",
        {"messages": [user("Hi"), assistant("Yo")]},
    ),
    "turns of one key": (
        {"conversation": [{"user": "Hi"}, {"assistant": "Yo"}]},
        "conversational",
        {"messages": [user("Hi"), assistant("Yo")]},
    ),
    "texts said in turn": (
        {"id": "7", "data": ["Hi", "Yo", "And?", "No"]},
        "conversational",
        {"messages": [user("Hi"), assistant("Yo"), user("And?"), assistant("No")]},
    ),
    "turns as a list a field": (
        {"conversations": {"from": ["human", "gpt"], "value": ["Hi", "Yo"]}},
        "conversational",
        {"messages": [user("Hi"), assistant("Yo")]},
    ),
    "gemini": (
        {
            "contents": [
                {"role": "user", "parts": [{"text": "Hi"}]},
                {"role": "model", "parts": [{"text": "Yo"}]},
            ]
        },
        "conversational",
        {"messages": [user("Hi"), assistant("Yo")]},
    ),
    "chatgpt export": (
        {
            "title": "t",
            "messages": [
                {"author": {"role": "user"}, "content": {"parts": ["Hi"]}},
                {"author": {"role": "assistant"}, "content": {"parts": ["Yo"]}},
            ],
        },
        "conversational",
        {"messages": [user("Hi"), assistant("Yo")]},
    ),
    "a tool that answers an object": (
        {
            "messages": [
                user("Roll"),
                {"role": "assistant", "content": None, "tool_calls": [CALL]},
                {"role": "tool", "content": {"result": 4}},
                assistant("Four"),
            ]
        },
        "conversational",
        {
            "messages": [
                user("Roll"),
                {"role": "assistant", "content": "", "tool_calls": [CALL]},
                {"role": "tool", "content": '{"result": 4}'},
                assistant("Four"),
            ]
        },
    ),
    "rows inside an object": (
        {"data": {"messages": [user("Hi"), assistant("Yo")]}},
        "conversational",
        {"messages": [user("Hi"), assistant("Yo")]},
    ),
    "keys in any case, and a speaker called SYSTEM": (
        {"Dialogue": [{"Speaker": "USER", "Text": "Hi"}, {"Speaker": "SYSTEM", "Text": "Yo"}]},
        "conversational",
        {"messages": [user("Hi"), assistant("Yo")]},
    ),
}
"""A row of each spelling, its dataset type, and the TRL row it becomes."""


@pytest.mark.parametrize("case", CASES)
def test_rows_are_recognized_and_converted(tmp_path, case):
    check_case(tmp_path, chat, *CASES[case])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([{"type": "text", "value": "Look"}, {"type": "image", "text": "x"}], "type image"),
        ([{"type": "audio_url", "audio_url": {}}], "type audio_url"),
        ("Look at <image>", '<image> in "images"'),
    ],
)
def test_a_row_with_an_image_is_refused_and_never_trained_without_it(content, said):
    turns = [{"role": "user", "content": content}, {"role": "assistant", "content": "A cat"}]
    converted = next(family for family in FAMILIES if family.name == "messages").convert
    with pytest.raises(RowError, match=said):
        row = {"messages": turns, "images": ["cat.png"]}
        with_columns(converted(row, {"messages": "messages"}), row)


def test_text_parts_are_joined_and_a_tools_result_stays_json():
    turns = [
        {
            "role": "user",
            "content": [{"type": "text", "value": "A"}, {"type": "text", "text": "b"}],
        },
        {"role": "tool", "content": {"value": 5}},
    ]
    assert [turn["content"] for turn in to_messages(turns, "messages")] == ["Ab", '{"value": 5}']


@pytest.mark.parametrize(
    "part",
    [
        {"type": "text", "text": "hi", "image_url": "a.png"},
        {"type": "text", "text": "hi", "audio": {"data": "x"}},
    ],
)
def test_a_part_that_is_more_than_text_is_refused_by_its_key(part):
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": [part]}]
    with pytest.raises(RowError, match=f"with {list(part)[-1]}"):
        to_messages(turns, "messages")


def test_a_tools_list_of_results_stays_whole_and_a_pair_keeps_its_weight():
    results = [{"title": "A", "text": "b"}, {"title": "C", "text": "d"}]
    [turn] = to_messages([{"role": "tool", "content": results}], "messages")
    assert json.loads(turn["content"]) == results
    pair = to_messages([{"human": "a", "gpt": "b", "weight": 0}], "messages")
    assert [one.get("weight") for one in pair] == [None, 0]


@pytest.mark.parametrize("name", ["input_schema", "inputSchema", "parameters"])
def test_parameters_of_a_tool_have_one_name(name):
    schema = {"type": "object", "properties": {"x": {"type": "integer"}}}
    tools = [{"name": "look", "description": "d", name: schema}]
    function = {"name": "look", "description": "d", "parameters": schema}
    read = json.loads(chat.tools_of({"tools": tools}, "tools") or "")
    assert read == [{"type": "function", "function": function}]
