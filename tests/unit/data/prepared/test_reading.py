"""One pass over a source gives access to every row."""

import pytest

from studio.core.errors import DataError
from studio.data import read
from studio.data.prepared.reading import SAMPLE_ROWS, texts_within
from tests.unit.data.making import questions, write


def test_any_row_can_be_shown_before_preparing(tmp_path):
    rows = questions(1500)
    rows[3]["answer"] = ""
    with read(write(tmp_path, rows)) as reading:
        assert (reading.rows, reading.kept) == (1500, 1499)
        assert reading.row(1400)["prompt"][0]["content"] == rows[1401]["question"]
        assert reading.place(1400) == ("rows.jsonl", 1402)
        assert reading.find(1402) == 1400
        assert reading.find(4) is None
        assert [r["completion"][0]["content"] for r in reading.page(2, 2)] == [
            rows[2]["answer"],
            rows[4]["answer"],
        ]
        assert next(reading.search(rows[900]["question"].upper())) == 899
        with pytest.raises(DataError, match="There is no row 1500"):
            reading.row(1499)


def test_every_text_inside_a_row_is_searched():
    row = {"a": "x", "b": [{"c": "y"}, 3], "d": {"e": {"f": "z"}}, "g": None}
    assert list(texts_within(row)) == ["x", "y", "z"]


def test_an_inspection_shows_the_first_rows_and_counts_the_rest(tmp_path):
    rows = questions(20)
    rows[0]["answer"] = " "
    with read(write(tmp_path, rows)) as reading:
        seen = reading.inspection()
        assert len(seen.sample) == SAMPLE_ROWS
        assert (seen.rows, seen.kept, reading.readable) == (20, 19, 20)
        assert seen.problem_counts == {"empty_field": 1} and seen.groups == {"kind": 3}
