"""What may go to a terminal, and how values are laid out."""

from __future__ import annotations

import json
import sys

import pytest

from studio.cli.terminal import Terminal, columns, one_line, percent, printable, table


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain äöü 模型 🙂\n\tok", "plain äöü 模型 🙂\n\tok"),
        ("\x1b]0;title\x07", "\\u001b]0;title\\u0007"),
        ("over\rwritten", "over\\u000dwritten"),
        ("\x9b2J\x7f", "\\u009b2J\\u007f"),
        ("txt\u202egpj.exe", "txt\\u202egpj.exe"),
        ("\ud800", "\\ud800"),
    ],
)
def test_control_characters_are_shown_escaped(text, shown):
    assert printable(text) == shown
    assert json.loads(printable(json.dumps(text, ensure_ascii=False))) == text


def test_only_the_result_goes_to_stdout(capsys):
    with Terminal() as out:
        print("a library talks")  # noqa: T201
        out.note("a note\x1b")
        out.result({"a": 1}, lambda value: f"a is {value['a']}")
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("a is 1\n", "a note\\u001b\n")
    assert sys.stdout is not None


def test_a_table_has_numbers_to_the_right_and_a_line_per_row():
    text = table([["a", 1000], ["b\nc", None]], ("name", "rows"))
    assert text.splitlines() == ["name   rows", "a     1,000", "b\\nc      -"]
    render = columns("x", empty="Nothing.")
    assert (render([]), render([{"x": 1, "y": 2}])) == ("Nothing.", "x\n1")


def test_values_are_shortened():
    assert one_line("a\n  b") == "a b" and len(one_line("x" * 200)) == 100
    assert (percent(0.678), percent(None)) == ("67.8 %", "-")
