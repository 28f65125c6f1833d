"""Small files that unpack to large cells: refused by what they say, or read within a bound."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from studio.core.errors import DataError
from studio.data.readers import documents, json_files, table_limits, tables
from studio.data.readers.files import read_file

LIMIT = 1 << 16
CELL = "x" * (4 * LIMIT)


@pytest.fixture(autouse=True)
def limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits of a thousandth, so that bombs are quick to make."""
    monkeypatch.setattr(table_limits, "MAX_RECORD", LIMIT)
    monkeypatch.setattr(table_limits, "_SPREAD", 4 * LIMIT)
    monkeypatch.setattr(table_limits, "MAX_BUFFER", 16 * LIMIT)
    monkeypatch.setattr(tables, "MAX_RECORD", 2 << 20)
    monkeypatch.setattr(tables, "_MOST_UNPACKED", 16 * LIMIT)
    monkeypatch.setattr(json_files, "MAX_RECORD", LIMIT)
    monkeypatch.setattr(documents, "MAX_DOCUMENT", 16 * LIMIT)


def repeated(text: str, rows: int) -> pa.DictionaryArray:
    indices = pa.array(np.zeros(rows, dtype=np.int32))
    return pa.DictionaryArray.from_arrays(indices, pa.array([text]))


def parquet(path: Path, table: pa.Table, **options: Any) -> Path:
    pq.write_table(table, path, **{"compression": "zstd", **options})
    return path


def arrow(path: Path, table: pa.Table, packed: str | None, stream: bool = False) -> Path:
    options = pa.ipc.IpcWriteOptions(compression=packed)
    begin = pa.ipc.new_stream if stream else pa.ipc.new_file
    with pa.OSFile(str(path), "wb") as file, begin(file, table.schema, options=options) as writer:
        writer.write_table(table)
    return path


def test_a_dictionary_with_a_huge_entry_is_refused_by_its_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_limits, "_MOST_PACKED", 10**9)
    monkeypatch.setattr(pq.ParquetFile, "iter_batches", None)  # nothing may be decoded
    for compression in ("zstd", "none", "snappy"):
        path = parquet(
            tmp_path / "a.parquet",
            pa.table({"d": repeated(CELL, 100_000)}),
            compression=compression,
        )
        with pytest.raises(DataError, match="dictionary of d takes 262,148 bytes"):
            list(read_file(path))


def test_a_cell_longer_than_all_its_rows_may_be_is_refused_by_its_chunk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_limits, "_MOST_PACKED", 10**9)
    monkeypatch.setattr(pq.ParquetFile, "iter_batches", None)
    for column in (pa.array([CELL, "q"]), pa.array([["word " * 9] * 9999])):
        path = parquet(tmp_path / "a.parquet", pa.table({"c": column}), use_dictionary=False)
        with pytest.raises(DataError, match=r"a cell of c\S* is longer"):
            list(read_file(path))


@pytest.mark.parametrize("kind", ["parquet", "arrow", "feather"])
def test_a_value_that_repeats_is_read_a_few_rows_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """100,000 rows of half the limit are 3 GB in this test, and 3 TB with the real limit."""
    table = pa.table({"d": repeated("y" * (LIMIT // 2), 100_000), "n": range(100_000)})
    path = tmp_path / f"a.{kind}"
    monkeypatch.setattr(table_limits, "_MOST_PACKED", 10**9)
    parquet(path, table) if kind == "parquet" else arrow(path, table, "zstd")
    made: list[int] = []
    whole = table_limits.pieces

    def counted(*given: Any) -> Any:
        for piece in whole(*given):
            made.append(piece.num_rows)
            yield piece

    monkeypatch.setattr(table_limits, "pieces", counted)
    rows = read_file(path)
    first = [next(rows).data for _ in range(20)]
    assert [row["n"] for row in first] == list(range(20)) and len(first[7]["d"]) == LIMIT // 2
    assert max(made) <= 8


def test_a_list_of_one_repeated_value_is_measured_as_it_would_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_limits, "_MOST_PACKED", 10**9)
    words = pa.array(["z" * 1000])
    inner = pa.DictionaryArray.from_arrays(pa.array(np.zeros(10_000, dtype=np.int32)), words)
    lists = pa.ListArray.from_arrays(pa.array([0, 5, 10_000], pa.int32()), inner)
    table = pa.table({"c": lists})
    for path in (arrow(tmp_path / "a.arrow", table, None), parquet(tmp_path / "a.parquet", table)):
        rows = read_file(path)
        with pytest.raises(DataError, match=r"a cell of c\S* is longer"):
            list(rows)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("dictionary", [False, True])
def test_an_arrow_buffer_that_unpacks_to_too_much_is_refused_by_its_length(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stream: bool, dictionary: bool
) -> None:
    huge = "x" * (64 * LIMIT)
    table = pa.table({"a": repeated(huge, 9) if dictionary else [huge, "q"]})
    for packed in ("zstd", "lz4"):
        path = arrow(tmp_path / "a.arrow", table, packed, stream)
        assert path.stat().st_size < LIMIT
        monkeypatch.setattr(table_limits, "pieces", None)  # nothing may be decoded
        with pytest.raises(DataError, match=r"unpack from [\d,]+ bytes to 4,194,\d+"):
            list(read_file(path))


@pytest.mark.parametrize("at", range(0, 400, 37))
def test_a_damaged_arrow_header_is_a_sentence(tmp_path: Path, at: int) -> None:
    table = pa.table({"a": ["one", "two"] * 50})
    path = arrow(tmp_path / "a.arrow", table, "zstd")
    data = bytearray(path.read_bytes())
    data[8 + at : 12 + at] = b"\xff\xff\xff\x7f"
    path.write_bytes(data)
    try:
        list(read_file(path))
    except DataError as error:
        assert "a.arrow" in str(error)


def repack(pack: Callable[[bytes], bytes]) -> dict[str, bytes]:
    """Files that are packed around what they hold."""
    made = io.BytesIO()
    pq.write_table(pa.table({"a": ["y"] * 9}), made)
    zeros = b"\0" * (64 * LIMIT)
    line = json.dumps({"a": CELL}).encode()
    return {
        "a.parquet": pack(b"PAR1" + zeros + b"PAR1"),
        "a.arrow": pack(b"ARROW1\0\0" + zeros),
        "a.jsonl": pack(line + b"\n"),
        "a.csv": pack(b"a,b\n" + b"x" * (3 << 20) + b",q\n"),
        "a.txt": pack(b"word " * (8 * LIMIT)),
    }


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow", "a.jsonl", "a.csv", "a.txt"])
@pytest.mark.parametrize("packed", ["gz", "zst"])
def test_a_packed_file_is_read_within_a_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, packed: str
) -> None:
    pack = gzip.compress if packed == "gz" else zstandard.ZstdCompressor().compress
    path = tmp_path / f"{name}.{packed}"
    path.write_bytes(repack(pack)[name])
    assert path.stat().st_size < LIMIT
    with pytest.raises(DataError, match=r"MB|longer"):
        rows = list(read_file(path))
        raise DataError(str(rows[0].error))  # a record that is left out says why


def test_a_sheet_that_unpacks_to_too_much_is_refused_by_its_directory(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<x/>")
        archive.writestr("xl/workbook.xml", "<x/>")
        archive.writestr("xl/sharedStrings.xml", "x" * (64 * LIMIT))
    with pytest.raises(DataError, match="would unpack"):
        list(read_file(path))


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["ab", None, "", "abc"]),
        pa.array([["a", "bb"], None, []]),
        pa.array([{"a": "xx", "b": ["y"]}, None]),
        pa.array([[("k", "vv")], []], pa.map_(pa.string(), pa.string())),
        pa.array(["a", "bb", None]).dictionary_encode(),
        pa.array([[1, 2], None], pa.list_(pa.int64(), 2)),
        pa.array([1.5, None]),
        pa.array(["a", "b"], pa.string_view()),
        pa.array([None, None]),
    ],
)
def test_every_kind_of_column_has_a_size(column: pa.Array) -> None:
    for part in (column, column.slice(1)):
        sizes = table_limits.cell_bytes(part)
        assert len(sizes) == len(part)
        for size, value in zip(sizes, part.to_pylist(), strict=True):
            assert int(size) >= len(value) if isinstance(value, str) else int(size) >= 0


def test_ordinary_tables_are_read_as_before(tmp_path: Path) -> None:
    table = pa.table({"d": ["one", "two"] * 2000, "l": [["a"], ["b", "c"]] * 2000})
    for path in (
        parquet(tmp_path / "a.parquet", table),
        arrow(tmp_path / "a.arrow", table, "lz4"),
        arrow(tmp_path / "b.feather", table, "zstd", stream=True),
    ):
        assert [row.data for row in read_file(path)] == table.to_pylist()
