"""One pass over a source gives access to every row."""

import pytest

from studio.core.errors import DataError
from studio.data import read
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
