"""Rows of any shape survive Arrow."""

import json

import pyarrow.parquet as pq

from studio.data.arrow_schema import Shape, parsed, tables
from studio.data.rows import tidy
from tests.unit.data.making import assistant, user, write


def test_tools_and_calls_of_any_shape_survive_storing(tmp_path, store):
    def row(arguments, tools=None):
        call = {"function": {"name": "f", "arguments": arguments}}
        turns = [
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "content": "done", "name": "f"},
            {"role": "assistant", "content": "there"},
        ]
        return {"messages": turns, **({"tools": tools} if tools else {})}

    rows = [row({"a": 1}, [{"name": "f"}]), row({"b": ["x", {"c": None}]}), row({})]
    made = store.prepare(write(tmp_path, rows))
    calls = [r["messages"][1]["tool_calls"][0]["function"]["arguments"] for r in made.load()]
    assert calls == [{"a": 1}, {"b": ["x", {"c": None}]}, {}]
    assert made.head(3)[1]["messages"][1]["tool_calls"][0]["function"]["arguments"] == {
        "b": ["x", {"c": None}]
    }
    assert json.loads(made.load()[0]["tools"])[0]["function"]["name"] == "f"
    assert made.load()[1]["tools"] is None
    assert pq.read_table(made.path()).num_rows == 3


def shape_of(rows):
    shape = Shape()
    for row in rows:
        shape.see(row)
    return shape


def test_a_text_becomes_a_message_where_other_rows_have_messages():
    rows = [
        {"prompt": [user("a")], "completion": [assistant("b")]},
        {"prompt": "c", "completion": "d"},
    ]
    table = next(iter(tables([rows], shape_of(rows))))
    assert [tidy(row) for row in table.to_pylist()] == [
        rows[0],
        {"prompt": [user("c")], "completion": [assistant("d")]},
    ]


def test_columns_of_mixed_values_become_text_and_numbers_stay_numbers():
    rows = [{"text": "a", "n": 1, "x": 1}, {"text": "b", "n": 2.5, "x": "one"}, {"text": "c"}]
    table = next(iter(tables([rows], shape_of(rows))))
    assert table["n"].to_pylist() == [1.0, 2.5, None]
    assert table["x"].to_pylist() == ["1", "one", None]


def test_rows_in_many_pieces_have_one_schema(monkeypatch):
    monkeypatch.setattr("studio.data.arrow_schema._PIECE", 40)
    rows = [{"text": f"a text {n}"} for n in range(20)]
    found = list(parsed((json.dumps(row).encode() for row in rows), shape_of(rows)))
    assert len(found) > 1 and len({table.schema for table in found}) == 1
    assert [row for table in found for row in table.to_pylist()] == rows
