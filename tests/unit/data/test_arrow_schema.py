"""Rows of any shape survive Arrow."""

import json

import pyarrow.parquet as pq

from tests.unit.data.making import write


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
