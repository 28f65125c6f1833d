"""Tools and calls kept as text become fields, or are named where they cannot."""

import json

import pytest

from tests.unit.data.making import assistant, inspected, system, user

TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Weather. Of a place.",
        "parameters": {"type": "object", "properties": {"place": {"type": "string"}}},
    },
}
CALL = '{"name": "weather", "arguments": {"place": "Rye"}}'
CALLED = {"type": "function", "function": {"name": "weather", "arguments": {"place": "Rye"}}}
HERMES = (
    "You are a function calling AI model. You are provided with function signatures within "
    "<tools> </tools> XML tags. You may call one or more functions to assist with the user query. "
    "Don't make assumptions about what values to plug into functions.{own}\n<tools>\n{tools}\n"
    "</tools>\nFor each function call return a json object with function name and arguments within "
    "<tool_call> </tool_call> tags with the following schema:\n<tool_call>\n"
    "{'arguments': <args-dict>, 'name': <function-name>}\n</tool_call>\n"
)
QWEN = (
    "{own}\n\n# Tools\n\nYou may call one or more functions to assist with the user query.\n\nYou "
    "are provided with function signatures within <tools></tools> XML tags:\n<tools>\n{tools}\n"
    "</tools>\n\nFor each function call, return a json object with function name and arguments "
    "within <tool_call></tool_call> XML tags:\n<tool_call>\n"
    '{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call>'
)


def hermes(call=CALL, prompt=HERMES, own="", block=None, told="gpt", result="tool", **more):
    block = json.dumps([TOOL]) if block is None else block
    return {
        "conversations": [
            {"from": "system", "value": prompt.replace("{own}", own).replace("{tools}", block)},
            {"from": "human", "value": "Weather in Rye?"},
            {"from": told, "value": f"<tool_call>\n{call}\n</tool_call>"},
            {"from": result, "value": '<tool_response>\n{"sky": "dry"}\n</tool_response>'},
            {"from": told, "value": "Dry."},
        ],
        **more,
    }


SETTLED = [
    user("Weather in Rye?"),
    {"role": "assistant", "content": "", "tool_calls": [CALLED]},
    {"role": "tool", "content": '{"sky": "dry"}'},
    assistant("Dry."),
]


@pytest.mark.parametrize("beside", [{}, {"tools": json.dumps([TOOL])}, {"tools": [TOOL]}])
@pytest.mark.parametrize("prompt", [HERMES, QWEN], ids=["Hermes", "Qwen"])
@pytest.mark.parametrize("result", ["tool", "human"])
def test_tools_stand_once_and_calls_are_calls(tmp_path, beside, prompt, result):
    found = inspected(tmp_path, [hermes(prompt=prompt, result=result, **beside)] * 3)
    row = found.sample[0]
    assert row["messages"] == SETTLED
    assert json.loads(row["tools"])[0]["function"]["name"] == "weather"
    assert "Tools and calls that stand as text were put in tools and tool_calls." in found.notes


@pytest.mark.parametrize(
    "call",
    [
        "{'arguments': {'place': 'Rye'}, 'name': 'weather'}",
        "<function=weather>\n<parameter=place>\nRye\n</parameter>\n</function>",
    ],
    ids=["Python", "tags"],
)
def test_calls_in_other_spellings(tmp_path, call):
    assert inspected(tmp_path, [hermes(call)]).sample[0]["messages"][1:] == SETTLED[1:]


@pytest.mark.parametrize(
    "tools", [f"{json.dumps(TOOL)}\n{json.dumps(TOOL['function'])}", str([TOOL])]
)
def test_blocks_in_other_spellings(tmp_path, tools):
    assert inspected(tmp_path, [hermes(block=tools)]).sample[0]["messages"] == SETTLED


def test_what_a_system_prompt_says_besides_stays(tmp_path):
    own = " You are Ina of 3.5 Quay St. Be kind!"
    for prompt in (HERMES, QWEN):
        first = inspected(tmp_path, [hermes(prompt=prompt, own=own)]).sample[0]["messages"][0]
        assert first == system(own.strip())


def test_a_broken_call_stays_text_and_is_named(tmp_path):
    found = inspected(tmp_path, [hermes('{"name": "weather", "arguments": {'), hermes()])
    assert found.problem_counts["call_text"] == 1
    (problem,) = [one for one in found.problems if one.kind == "call_text"]
    assert (problem.row, problem.field, problem.severity) == (1, "messages", "warning")
    assert "<tool_call>" in found.sample[0]["messages"][1]["content"]


def test_a_block_of_other_tools_stays_and_is_named(tmp_path):
    other = {**TOOL, "function": {**TOOL["function"], "name": "tides"}}
    found = inspected(tmp_path, [hermes()])
    assert "tools_differ" not in found.problem_counts
    row = hermes() | {"tools": [other]}
    assert inspected(tmp_path, [row]).problem_counts["tools_differ"] == 1


def test_marks_without_tools_stay_text(tmp_path):
    rows = [{"messages": [user("How do I call?"), assistant(f"<tool_call>{CALL}</tool_call>")]}]
    assert inspected(tmp_path, rows).sample[0] == rows[0]


@pytest.mark.parametrize("broken", ['[{"name": "weather", "arguments": {"place": ', "{'name': we"])
def test_broken_calls_of_xlam_name_row_and_field(tmp_path, broken):
    rows = [
        {"query": "Weather?", "tools": json.dumps([TOOL]), "answers": f"[{CALL}]"},
        {"query": "Weather now?", "tools": json.dumps([TOOL]), "answers": broken},
        {"query": "Who are you?", "tools": json.dumps([TOOL]), "answers": "I am Ina."},
        {"query": "Data?", "tools": json.dumps([TOOL]), "answers": '{"sky": "dry"}'},
        {"query": "Nothing?", "tools": json.dumps([TOOL]), "answers": "[]"},
    ]
    found = inspected(tmp_path, rows)
    assert found.kept == 3
    errors = [(p.row, p.field, p.kind) for p in found.problems if p.severity == "error"]
    assert errors == [(2, "answers", "call_arguments"), (5, "answers", "empty_field")]
    assert found.sample[0]["completion"][0]["tool_calls"] == [CALLED]


def test_a_broken_function_call_turn_names_row_and_field(tmp_path):
    def row(call):
        talk = [user("Weather?"), {"role": "function_call", "content": call}]
        return {
            "conversations": [*talk, {"role": "observation", "content": "dry"}, assistant("Dry.")]
        }

    found = inspected(tmp_path, [row(CALL), row(CALL[:-3]), row("weather of Rye")])
    assert found.kept == 1
    assert [(p.row, p.field) for p in found.problems] == [
        (2, "conversations"),
        (3, "conversations"),
    ]
    assert "Turn 2" in found.problems[0].message


def test_calls_in_a_completion_of_text_are_calls(tmp_path):
    rows = [{"prompt": "Weather?", "completion": f"[{CALL}]", "tools": [TOOL]}]
    assert inspected(tmp_path, rows).sample[0]["completion"][0]["tool_calls"] == [CALLED]
