"""An answer's thinking, its text and its calls, for every family of templates."""

import pytest

from studio.core.answers import AnswerParts, read, said, thought, with_thought
from studio.core.call_forms import ToolCall

CALL = ToolCall("roll", {"sides": 6})


def deepseek(body):
    """A call between DeepSeek's marks, which are not ASCII."""
    whole = f"<|tool_calls_begin|><|tool_call_begin|>{body}<|tool_call_end|><|tool_calls_end|>"
    return whole.replace("|", "\uff5c").replace("_", "\u2581")


@pytest.mark.parametrize(
    ("written", "prompt", "expected"),
    [
        ("Four.", "", AnswerParts("Four.")),
        ("<think>\nTwo and two.\n</think>\n\nFour.", "", AnswerParts("Four.", "Two and two.")),
        ("Two.\n</think>\n\nFour.", "<|assistant|><think>\n", AnswerParts("Four.", "Two.")),
        ("[THINK]Two.[/THINK]Four.", "", AnswerParts("Four.", "Two.")),
        ("<think>Two and", "", AnswerParts("", "Two and", cut=True)),
        ("Two and", "<think>\n", AnswerParts("", "Two and", cut=True)),
        ("<think>\n\n</think>\n\nFour.", "", AnswerParts("Four.")),
        ("Close it with </think>.", "", AnswerParts("Close it with </think>.")),
        ("Say <think> first.", "", AnswerParts("Say <think> first.")),
        (
            "<|channel|>analysis<|message|>Two.<|end|><|start|>assistant<|channel|>final"
            "<|message|>Four.",
            "",
            AnswerParts("Four.", "Two."),
        ),
        ("<|channel|>analysis<|message|>Two", "", AnswerParts("", "Two", cut=True)),
        ("<|channel>thought\nTwo.\n<channel|>Four.", "", AnswerParts("Four.", "Two.")),
        ("<|channel>thought\nTwo", "", AnswerParts("", "Two", cut=True)),
    ],
)
def test_thinking_is_kept_apart_from_the_answer(written, prompt, expected):
    assert read(written, prompt) == expected


@pytest.mark.parametrize(
    "written",
    [
        'I look.\n<tool_call>\n{"name": "roll", "arguments": {"sides": 6}}\n</tool_call>',
        '<tool_call>{"name": "roll", "arguments": "{\\"sides\\": 6}"}</tool_call>',
        "<tool_call>\n<function=roll>\n<parameter=sides>\n6\n</parameter>\n</function>\n</tool_call>",
        '{"name": "roll", "parameters": {"sides": 6}}',
        '<|python_tag|>{"name": "roll", "parameters": {"sides": 6}}',
        '[TOOL_CALLS] [{"name": "roll", "arguments": {"sides": 6}}]',
        '[TOOL_CALLS]roll[ARGS]{"sides": 6}',
        '<|channel|>commentary to=functions.roll <|constrain|>json<|message|>{"sides": 6}<|call|>',
        '<|start|>assistant to=functions.roll<|channel|>commentary json<|message|>{"sides": 6}',
        ' to=functions.roll<|channel|>commentary json<|message|>{"sides": 6}<|call|>',
        "<tool_call>roll\n<arg_key>sides</arg_key>\n<arg_value>6</arg_value>\n</tool_call>",
        "<|tool_call>call:roll{sides:6}<tool_call|><|tool_response>",
        "<|tool_call_start|>[roll(sides=6)]<|tool_call_end|>",
        deepseek('function<|tool_sep|>roll\n```json\n{"sides": 6}\n```'),
        deepseek('roll<|tool_sep|>{"sides": 6}'),
    ],
)
def test_a_call_is_read_in_the_form_of_its_family(written):
    assert read(written).tool_calls == (CALL,)
    assert read(written).spoken == ("I look." if written.startswith("I look") else "")


def test_several_calls_stand_in_their_order():
    one, other = '{"name": "a", "parameters": {}}', '{"name": "b", "parameters": {}}'
    assert [call.name for call in read(f"{one}; {other}").tool_calls] == ["a", "b"]
    hermes = [f'<tool_call>{{"name": "{name}", "arguments": {{}}}}</tool_call>' for name in "ab"]
    assert [call.name for call in read("".join(hermes)).tool_calls] == ["a", "b"]


@pytest.mark.parametrize("written", ['{"name": "Mira"}', '{"name": "Mira", "age": 6}', "[1]", "{"])
def test_json_that_is_no_call_is_an_answer(written):
    assert read(written).tool_calls == ()
    assert read(written).spoken == written


def test_a_call_that_is_no_json_is_a_call_without_arguments():
    assert read('<tool_call>{"name": "roll", "argu</tool_call>').tool_calls == (ToolCall("", None),)


def test_every_field_of_a_message_is_the_same_thinking():
    for name in ("reasoning_content", "thinking", "reasoning"):
        assert thought({"content": "Four.", name: "Two."}) == "Two."
    whole = {"content": with_thought("Four.", "Two.")}
    assert (said(whole), thought(whole)) == ("Four.", "Two.")
    call = {"content": "", "tool_calls": [CALL.as_message()]}
    assert read(said(call)).tool_calls == (CALL,)


@pytest.mark.parametrize(
    ("written", "arguments"),
    [
        (
            '<|tool_call>call:f{a:<|"|>x: {y}, "z"<|"|>,b:[1,<|"|>t<|"|>],c:{d:true}}<tool_call|>',
            {"a": 'x: {y}, "z"', "b": [1, "t"], "c": {"d": True}},
        ),
        (
            "<|tool_call_start|>[f(a='x, (y)', b=[1, 't'], c={'d': True}, e=null)]",
            {"a": "x, (y)", "b": [1, "t"], "c": {"d": True}, "e": None},
        ),
        ("<tool_call>f\n<arg_key>a</arg_key><arg_value>x y</arg_value></tool_call>", {"a": "x y"}),
        ("<tool_call>f</tool_call>", {}),
        ('<|tool_call>call:f{a:<|"|>x', None),
        ("<|tool_call_start|>[f(a=__import__('os'))]<|tool_call_end|>", None),
        ("<|tool_call_start|>[f('x')]<|tool_call_end|>", None),
    ],
)
def test_arguments_of_every_type_are_read_and_others_are_none(written, arguments):
    [call] = read(written).tool_calls
    assert (call.name, call.arguments) == ("f", arguments)


def test_text_beside_a_call_of_a_channel_is_kept():
    whole = (
        "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>commentary<|message|>"
        "I look.<|end|><|start|>assistant to=functions.roll<|channel|>commentary json<|message|>"
        '{"sides": 6}<|call|>'
    )
    found = read(whole)
    assert (found.reasoning, found.spoken, found.tool_calls) == ("Hm.", "I look.", (CALL,))
