"""Files that are not what they say: one sentence each, and nothing read into memory whole."""

import gzip
import json
import os
import zipfile

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from studio.core.errors import DataError
from studio.core.workspace import Workspace
from studio.data import DatasetStore, inspect
from tests.unit.data.making import questions

ROWS = [{"prompt": f"Question {n}\u2028 é\u0085?", "completion": f"Answer {n}."} for n in range(30)]


def put(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def zipped(path):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("rows.json", "[]")
    return path.read_bytes()


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.json", os.urandom(1 << 20), "binary"),
        ("a.jsonl", b"\x00\x01\x02" * 1000, "binary"),
        ("a.json", b"[" * 100_000, "nested too deeply"),
        ("a.json", b"[]", "an empty list"),
        ("a.json", b"{}", "no text to train on"),
        ("a.json", b"[1, 2, 3]", "not an object"),
        ("a.json", b"<html><body>404</body></html>", "not JSON"),
        ("a.json", b"version https://git-lfs.github.com/spec/v1\n", "not JSON"),
        ("a.json", b"[{'prompt': 'a'}]", "cannot be read as JSON"),
        ("a.json", json.dumps({"one": [{"a": "b"}], "two": [{"a": "b"}]}), "several lists"),
        ("a.csv", ",".join(f"c{n}" for n in range(10_000)) + "\n", "10,000 columns"),
        ("a.jsonl.gz", gzip.compress(json.dumps(ROWS).encode(), mtime=0)[:100], "does not unpack"),
        ("a.parquet", b"PAR1 and no more", "damaged or not Parquet"),
    ],
)
def test_a_file_that_holds_no_rows_gets_one_sentence(tmp_path, name, content, sentence):
    with pytest.raises(DataError, match=sentence) as caught:
        inspect(put(tmp_path, name, content))
    assert len(str(caught.value)) < 400
    assert "\n" not in str(caught.value)


def test_a_zip_is_named_whatever_it_is_called(tmp_path):
    with pytest.raises(DataError, match="zip archive"):
        inspect(put(tmp_path, "rows.jsonl", zipped(tmp_path / "made.zip")))


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [("a.json", '[{"text": "', '"}]'), ("a.json", '{"text": "', '"}'), ("a.csv", "text\n", "\n")],
)
def test_a_record_without_end_is_given_up(tmp_path, monkeypatch, name, before, after):
    monkeypatch.setattr("studio.data.readers.json_stream.MAX_RECORD", 1 << 21)
    monkeypatch.setattr("studio.data.readers.tables.MAX_RECORD", 1 << 21)
    monkeypatch.setattr("studio.data.readers.json_files.MAX_WHOLE", 1 << 21)
    with pytest.raises(DataError, match="longer than 64 MB"):
        inspect(put(tmp_path, name, before + "a" * (8 << 20) + after))


def test_a_line_without_end_is_one_bad_row(tmp_path, monkeypatch):
    monkeypatch.setattr("studio.data.readers.json_files.MAX_RECORD", 1 << 21)
    line = '{"text": "' + "a" * (8 << 20) + '"}\n'
    found = inspect(put(tmp_path, "a.jsonl", '{"text": "one"}\n' + line + '{"text": "two"}\n'))
    assert (found.rows, found.kept, found.problem_counts) == (3, 2, {"malformed_json": 1})


def as_pandas(orient):
    import pandas

    return pandas.DataFrame(ROWS).to_json(orient=orient, force_ascii=False)


SHAPES = {
    "under a key": lambda: json.dumps({"version": 1, "data": ROWS}),
    "a level deeper": lambda: json.dumps({"meta": {"n": [1]}, "held": {"rows": ROWS}}),
    "splits": lambda: json.dumps({"train": ROWS, "test": ROWS[:2]}),
    "a row a key": lambda: json.dumps({f"id{n}": row for n, row in enumerate(ROWS)}),
    "a list a column": lambda: json.dumps({k: [r[k] for r in ROWS] for k in ROWS[0]}),
    "pandas columns": lambda: as_pandas("columns"),
    "pandas index": lambda: as_pandas("index"),
    "pandas split": lambda: as_pandas("split"),
    "pandas table": lambda: as_pandas("table"),
    "indented": lambda: json.dumps(ROWS, indent=2),
    "one after the other": lambda: "".join(json.dumps(row) for row in ROWS),
    "one after the other, indented": lambda: "\n".join(json.dumps(r, indent=1) for r in ROWS),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_rows_are_found_wherever_json_keeps_them(tmp_path, shape):
    found = inspect(put(tmp_path, "a.json", SHAPES[shape]()))
    assert (found.rows, found.kept) == (30, 30)
    assert found.sample == ROWS[:5]


def test_a_large_object_is_streamed(tmp_path, monkeypatch):
    monkeypatch.setattr("studio.data.readers.json_files.MAX_WHOLE", 1000)
    whole = {"version": {"of": [1, 2]}, "rows": ROWS, "more": [{"x": 1}]}
    found = inspect(put(tmp_path, "a.json", json.dumps(whole)))
    assert (found.kept, found.sample) == (30, ROWS[:5])
    assert any('under "rows"' in note for note in found.notes)
    assert any("only the first was read" in note for note in found.notes)


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 50])
def test_a_list_reads_the_same_through_any_window(tmp_path, monkeypatch, chunk):
    monkeypatch.setattr("studio.data.readers.json_stream._CHUNK", chunk)
    rows = [{"prompt": "a", "completion": 'b"}],[{', "n": 12.5e3}, *ROWS[:3]]
    found = inspect(put(tmp_path, "a.json", json.dumps(rows, ensure_ascii=chunk > 2)))
    assert found.sample == [{"prompt": "a", "completion": 'b"}],[{'}, *ROWS[:3]]


def test_the_same_rows_in_any_file_are_the_same_dataset(tmp_path):
    store = DatasetStore(Workspace(tmp_path / "home"))
    rows = questions(40)
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    table = pa.Table.from_pylist(rows)
    pq.write_table(table, tmp_path / "a.parquet")
    pyarrow.feather.write_feather(table, tmp_path / "a.arrow", compression="uncompressed")
    put(tmp_path, "a.json", json.dumps(rows))
    put(tmp_path, "a.jsonl", lines)
    put(tmp_path, "a.jsonl.gz", gzip.compress(lines.encode()))
    put(tmp_path, "b.jsonl", lines.encode("utf-16"))
    put(tmp_path, "c.json", b"\xef\xbb\xbf" + json.dumps(rows).encode())
    made = [store.prepare(path) for path in sorted(tmp_path.glob("?.*"))]
    assert len(made) == 7
    assert len({dataset.fingerprint for dataset in made}) == 1
    assert made[0].head(40) == made[1].head(40)
