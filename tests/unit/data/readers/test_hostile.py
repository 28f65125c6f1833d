"""Files that are not what they claim to be: one sentence each."""

import gzip
import json
import random
import zipfile

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from studio.core.errors import DataError
from studio.core.workspace import Workspace
from studio.data import DatasetStore, inspect
from tests.unit.data.making import ODD, put, questions


def zipped(path):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("rows.json", "[]")
    return path.read_bytes()


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.json", random.Random(0).randbytes(1 << 20), "binary"),
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
        ("a.jsonl.gz", gzip.compress(json.dumps(ODD).encode(), mtime=0)[:100], "does not unpack"),
        ("a.parquet", b"PAR1 and no more", "damaged or not Parquet"),
    ],
    ids=lambda value: None if len(value) < 40 else f"{len(value)} long",
)
def test_a_file_that_holds_no_rows_gets_one_sentence(tmp_path, name, content, sentence):
    with pytest.raises(DataError, match=sentence) as caught:
        inspect(put(tmp_path, name, content))
    assert len(str(caught.value)) < 400
    assert "\n" not in str(caught.value)


def test_a_zip_is_named_whatever_it_is_called(tmp_path):
    with pytest.raises(DataError, match="zip archive"):
        inspect(put(tmp_path, "rows.jsonl", zipped(tmp_path / "made.zip")))


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
