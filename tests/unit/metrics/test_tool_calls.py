"""Which tools an answer calls, with which arguments, beside a reference."""

import pytest

from studio.metrics.tool_calls import right_arguments, right_tool, valid_json

KNOWN = '<tool_call>{"name": "roll", "arguments": {"sides": 6, "of": ["a", true]}}</tool_call>'


def llama(arguments, name="roll"):
    return f'{{"name": "{name}", "parameters": {arguments}}}'


@pytest.mark.parametrize(
    ("answer", "tool", "arguments"),
    [
        (KNOWN, 1, 1),
        (llama('{"of": ["a", true], "sides": 6.0}'), 1, 1),
        (llama('{"of": ["a", 1], "sides": 6}'), 1, 1 / 2),
        (llama('{"sides": 6}'), 1, 1 / 2),
        (llama('{"sides": 6, "of": ["a", true], "twice": 1}'), 1, 2 / 3),
        (llama('{"sides": 6, "of": ["a", true]}', "throw"), 0, 0),
        (KNOWN + KNOWN, 0, 0),
        ('<tool_call>{"name": "roll", "arguments": "six"}</tool_call>', 1, 0),
        ("I roll a die.", 0, 0),
    ],
)
def test_tools_and_arguments_are_compared_as_json(answer, tool, arguments):
    assert right_tool(answer, [KNOWN]) == tool
    assert right_arguments(answer, [KNOWN]) == pytest.approx(arguments)


def test_a_tool_without_arguments_and_the_best_of_several_references():
    empty = '<tool_call>{"name": "stop", "arguments": {}}</tool_call>'
    assert right_arguments(empty, [KNOWN, empty]) == 1 == right_tool(empty, [KNOWN, empty])


@pytest.mark.parametrize(
    ("answer", "valid"),
    [
        (KNOWN, 1),
        ('{"a": 1}', 1),
        ("null", 1),
        ("<think>No: {</think>[1]", 1),
        ("One.", 0),
        ('<tool_call>{"name": "roll", "argu</tool_call>', 0),
    ],
)
def test_valid_json(answer, valid):
    assert valid_json(answer) == valid
