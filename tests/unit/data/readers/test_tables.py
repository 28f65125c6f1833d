"""CSV and TSV: headers, delimiters, quotes, and broken records."""

from tests.unit.data.making import raw_data, read_raw


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
