"""Rows are found wherever a JSON object keeps them."""

import json

import pytest

from studio.core.errors import DataError
from studio.data import inspect
from studio.data.readers.json_layouts import is_conversation, rows_in
from tests.unit.data.making import ODD, as_turns, put, raw_data


def test_nested_root_and_table_of_columns(tmp_path):
    nested = tmp_path / "nested.json"
    nested.write_text(json.dumps({"Data": [{"Question": "Q"}], "Version": 1.0}))
    assert raw_data(nested) == [{"Question": "Q"}]
    table = tmp_path / "table.json"
    table.write_text(json.dumps({"q": ["a", "b"], "n": [1, 2]}))
    assert raw_data(table) == [{"q": "a", "n": 1}, {"q": "b", "n": 2}]
    single = tmp_path / "single.json"
    single.write_text(json.dumps({"messages": [{"role": "user", "content": "hi"}]}))
    assert raw_data(single) == [{"messages": [{"role": "user", "content": "hi"}]}]


def as_pandas(orient):
    import pandas

    return pandas.DataFrame(ODD).to_json(orient=orient, force_ascii=False)


SHAPES = {
    "under a key": lambda: json.dumps({"version": 1, "data": ODD}),
    "a level deeper": lambda: json.dumps({"meta": {"n": [1]}, "held": {"rows": ODD}}),
    "splits": lambda: json.dumps({"train": ODD, "test": ODD[:2]}),
    "a row a key": lambda: json.dumps({f"id{n}": row for n, row in enumerate(ODD)}),
    "a list a column": lambda: json.dumps({k: [r[k] for r in ODD] for k in ODD[0]}),
    "pandas columns": lambda: as_pandas("columns"),
    "pandas index": lambda: as_pandas("index"),
    "pandas split": lambda: as_pandas("split"),
    "pandas table": lambda: as_pandas("table"),
    "indented": lambda: json.dumps(ODD, indent=2),
    "one after the other": lambda: "".join(json.dumps(row) for row in ODD),
    "one after the other, indented": lambda: "\n".join(json.dumps(r, indent=1) for r in ODD),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_rows_are_found_wherever_json_keeps_them(tmp_path, shape):
    found = inspect(put(tmp_path, "a.json", SHAPES[shape]()))
    assert (found.rows, found.kept) == (30, 30)
    assert found.sample == as_turns(ODD[:5])


def test_the_training_split_is_taken_and_other_lists_are_refused():
    notes = []
    split = {"test": [{"a": 1}], "train": [{"a": 2}]}
    assert rows_in(split, "a.json", notes.append) == [{"a": 2}] and '"train" was read' in notes[0]
    with pytest.raises(DataError, match="several lists"):
        rows_in({"one": [{"a": 1}], "two": [{"a": 2}]}, "a.json", notes.append)


def test_a_conversation_is_one_row():
    turns = [{"role": "user", "content": "a"}]
    assert is_conversation(turns) and not is_conversation([{"a": 1}]) and not is_conversation([])
    assert rows_in({"messages": turns}, "a.json", print) == [{"messages": turns}]
