"""CSV and TSV: headers, delimiters, quotes, and broken records."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from studio.core.errors import DataError
from studio.data.readers.tables import MAX_COLUMNS, read_csv, read_parquet
from tests.unit.data.making import put, raw_data, read_raw


def test_csv_without_header_with_unnamed_columns_and_with_loose_quotes(tmp_path):
    bare = tmp_path / "bare.csv"
    bare.write_text("1,It rained all day.\n2,It was dry.\n")
    rows, notes = read_raw(bare)
    assert rows[0].data == {"column_1": "1", "column_2": "It rained all day."}
    assert "no header" in notes[0]
    unnamed = tmp_path / "unnamed.csv"
    unnamed.write_text("v1,v2,,\nham,hello,more,\n")
    rows, notes = read_raw(unnamed)
    assert rows[0].data == {"v1": "ham", "v2": "hello", "column_3": "more"}
    assert "2 unnamed columns" in notes[0]
    loose = tmp_path / "loose.tsv"
    loose.write_text('a\tb\n1\t" opened only\n2\tplain\n3\the said "yes" then\n')
    assert [raw.data["b"] for raw in read_raw(loose)[0]] == [
        '" opened only',
        "plain",
        'he said "yes" then',
    ]


def test_csv_rows_that_are_too_wide_are_problems(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("q,a\nx,y\nx,y,z\nx\n")
    rows, _ = read_raw(path)
    assert [raw.error.kind if raw.error else raw.data["a"] for raw in rows] == [
        "y",
        "extra_cells",
        None,
    ]


def test_a_very_long_cell_is_read(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text(f'text,n\n"{"long " * 100_000}",1\n')
    assert len(raw_data(path)[0]["text"]) == 500_000


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_taken_from_the_header(tmp_path, delimiter):
    text = f"q{delimiter}a\nWhy{delimiter}So\n"
    path = put(tmp_path, "rows.csv", text)
    assert [raw.data for raw in read_csv(path, "csv", text.encode(), print)] == [
        {"q": "Why", "a": "So"}
    ]


def test_parquet_is_read_in_order_and_a_matrix_is_refused(tmp_path):
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"n": list(range(3000))}), path)
    rows = list(read_parquet(path, print))
    assert [raw.data["n"] for raw in rows] == list(range(3000)) and rows[-1].number == 3000
    pq.write_table(pa.table({f"c{n}": [1] for n in range(MAX_COLUMNS + 1)}), path)
    with pytest.raises(DataError, match="1,001 columns"):
        list(read_parquet(path, print))
