"""Rows whose prompt is in an evaluation set."""

import pytest

from studio.core.errors import DataError
from studio.data import PrepareOptions
from studio.data.prepared.contamination import overlapping
from tests.unit.data.making import questions, write


def test_rows_of_an_evaluation_set_are_dropped(tmp_path, store):
    rows = questions(60)
    held = [{"prompt": rows[1]["question"].upper()}, {"prompt": rows[2]["question"] + " now"}]
    other = write(tmp_path, held, "held.jsonl")
    made = store.prepare(
        write(tmp_path, rows), options=PrepareOptions(held_out=str(other), test_fraction=0)
    )
    assert made.rows == {"train": 58}
    with pytest.raises(DataError, match="evaluation set cannot be read"):
        store.prepare(tmp_path / "rows.jsonl", options=PrepareOptions(held_out="./nothing.jsonl"))


def test_case_and_white_space_make_no_difference(tmp_path):
    held = write(tmp_path, [{"prompt": "Where  is the\nmill?"}], "held.jsonl")
    rows = [{"prompt": "where is THE mill?"}, {"prompt": "Where is the inn?"}]
    assert overlapping(rows, held).tolist() == [True, False]
