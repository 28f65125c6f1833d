"""Tools and chat_template_kwargs travel with rows of any format; media refuse their row."""

import json

import pytest

from studio.data import read
from studio.data.prepared.columns_beside import with_columns
from studio.data.types import RowError
from tests.unit.data.making import assistant, user, write

TOOL = {"type": "function", "function": {"name": "roll", "parameters": {}}}


def test_a_preference_row_keeps_its_tools_and_its_kwargs(tmp_path):
    row = {
        "prompt": [user("Hi")],
        "chosen": [assistant("Yo")],
        "rejected": [assistant("No")],
        "tools": [json.dumps(TOOL)],
        "chat_template_kwargs": {"enable_thinking": False},
    }
    with read(write(tmp_path, [row])) as reading:
        [kept] = reading.inspection().sample
    assert kept["chat_template_kwargs"] == {"enable_thinking": False}
    assert json.loads(kept["tools"]) == [TOOL]


@pytest.mark.parametrize(
    "kwargs", ["enable_thinking", {"tokenize": True}, {"enable_thinking": [1]}, {"a b": 1}]
)
def test_kwargs_that_no_template_takes_refuse_their_row(kwargs):
    with pytest.raises(RowError, match="chat_template_kwargs"):
        with_columns({"messages": [user("Hi")]}, {"chat_template_kwargs": kwargs})


@pytest.mark.parametrize(
    ("text", "data", "said"),
    [
        ("Look at <image>", {"image": "a.png"}, "speaks of <image>"),
        ("Look", {"images": ["a.png"]}, 'goes with "images"'),
        ("Look", {"audio": {"bytes": b"x"}}, 'goes with "audio"'),
    ],
)
def test_a_row_about_an_image_is_refused_in_every_format(text, data, said):
    with pytest.raises(RowError, match=said):
        with_columns({"prompt": [user(text)]}, data)


def test_a_link_to_an_image_beside_a_text_is_no_reason():
    row = {"prompt": [user("A chair for sale")]}
    assert with_columns(row, {"image": "https://example.org/chair.png"}) == row


def test_parameters_by_name_become_a_schema():
    roll = {
        "name": "roll",
        "parameters": {"sides": {"type": "int, optional"}, "of": {"type": "str"}},
    }
    row = with_columns({"messages": [user("Hi")]}, {"tools": [roll]})
    [tool] = json.loads(row["tools"])
    assert tool["function"]["parameters"] == {
        "type": "object",
        "properties": {"sides": {"type": "integer"}, "of": {"type": "string"}},
        "required": ["of"],
    }
