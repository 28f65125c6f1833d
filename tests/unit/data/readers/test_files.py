"""Every kind of file gives the same rows; unreadable ones give one sentence."""

import gzip
import json
import os
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from studio.core.errors import DataError
from studio.data import inspect
from studio.data.readers.files import read_files
from tests.unit.data.making import GERMAN, as_csv, put, raw_data


def write_kinds(folder):
    table = pa.Table.from_pylist(GERMAN)
    (folder / "a.json").write_text(json.dumps(GERMAN, indent=1))
    (folder / "b.jsonl").write_text("".join(json.dumps(row) + "\n" for row in GERMAN))
    (folder / "c.csv").write_text(as_csv(), newline="")
    (folder / "d.tsv").write_text(as_csv("\t"), newline="")
    pq.write_table(table, folder / "e.parquet")
    with pa.ipc.new_file(folder / "f.arrow", table.schema) as writer:
        writer.write_table(table)
    with pa.ipc.new_stream(folder / "g.arrow", table.schema) as writer:
        writer.write_table(table)
    (folder / "h.json").write_text(json.dumps({"version": 1, "data": GERMAN}))
    for path in list(folder.iterdir()):
        (folder / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))


def test_every_kind_and_its_gz_gives_the_same_rows(tmp_path):
    write_kinds(tmp_path)
    found = {path.name: raw_data(path) for path in tmp_path.iterdir()}
    assert len(found) == 16
    for name, rows in found.items():
        assert rows == GERMAN, name


def write_bad(folder):
    (folder / "empty.json").write_bytes(b"")
    (folder / "blank.csv").write_bytes(b"\n\n")
    (folder / "prose.json").write_text("This is no JSON at all.")
    (folder / "noise.json").write_bytes(os.urandom(1 << 20))
    (folder / "torn.json").write_text('{"a": [1, 2')
    (folder / "no_rows.json").write_text("[]")
    (folder / "wide.csv").write_text(",".join(f"c{n}" for n in range(10_000)) + "\n")
    (folder / "fake.parquet").write_text("not parquet")
    (folder / "cut.parquet").write_bytes(b"PAR1 cut off")
    (folder / "cut.json.gz").write_bytes(gzip.compress(b'[{"a": 1}]' * 9999)[:60])
    (folder / "letters.xyz").write_text("abc")
    with zipfile.ZipFile(folder / "packed.zip", "w") as packed:
        packed.writestr("rows.json", "[]")
    os.rename(folder / "packed.zip", folder / "packed.json")


def test_files_that_cannot_be_read_give_one_sentence(tmp_path):
    write_bad(tmp_path)
    for path in sorted(tmp_path.iterdir()):
        with pytest.raises(DataError) as caught:
            inspect(path)
        sentence = str(caught.value)
        assert path.name.split(".")[0] in sentence, path.name
        assert "\n" not in sentence and len(sentence) < 400, sentence


def test_row_numbers_start_again_in_every_file(tmp_path):
    files = [put(tmp_path, f"{name}.jsonl", '{"a": 1}\n{"a": 2}\n') for name in "xy"]
    rows = list(read_files(files, print))
    assert [(raw.file, raw.number) for raw in rows] == [
        ("x.jsonl", 1),
        ("x.jsonl", 2),
        ("y.jsonl", 1),
        ("y.jsonl", 2),
    ]
