"""CSV, TSV, Parquet and Arrow, read as streams of rows."""

from __future__ import annotations

import csv
import io
import itertools
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from studio.core.errors import DataError
from studio.data.readers import table_limits
from studio.data.readers.csv_dialect import find_dialect
from studio.data.readers.encodings import PACKED, Note, decode_head, open_bytes, open_text
from studio.data.readers.json_stream import MAX_RECORD
from studio.data.types import RawRow, Row, RowError

MAX_COLUMNS = 1000
"""More columns than this is a matrix or a wrong delimiter, never rows of text to train on."""
_BATCH = 1024
_MOST_UNPACKED = 1 << 30  # bytes of columns that are packed once more, as .gz or .zst


def read_csv(path: Path, kind: str, head: bytes, note: Note) -> Iterator[RawRow]:
    """Rows of a CSV or TSV: delimiter and quoting judged on the head, unnamed columns named."""
    csv.field_size_limit(min(sys.maxsize, MAX_RECORD))
    text = decode_head(head, note).lstrip("\ufeff")
    newline = "\n" if "\n" in text else "\r"  # old files of the Mac end lines so
    text = text.replace("\r\n", "\n") if newline == "\n" else text.replace("\r", "\n")
    text = _LONE.sub(_CARRIAGE_RETURN, text)
    options, skip, why = find_dialect(text, kind)
    text = text.split("\n", skip)[-1]
    if skip:
        note(f"In {path.name}, {why} were left out.")
    with open_text(path, head, note, newline) as file:
        lines = itertools.islice(_lines(file, path), skip, None)
        records = csv.reader(_kept_returns(lines) if newline == "\n" else lines, **options)
        whole = (cells for cells in _guarded(records) if isinstance(cells, list))
        first = next((cells for cells in whole if any(cells)), None)
        if first is None:
            raise DataError(f"{path.name} is empty: there are no rows in it.")
        _refuse_width(first, path)
        sample = list(itertools.islice(csv.reader(io.StringIO(text), **options), 1, 200))
        names, records = _header(first, sample, _guarded(records), path, note)
        yield from _csv_rows(records, names, path, note)


def _lines(file: io.TextIOBase, path: Path) -> Iterator[str]:
    """Lines of bounded length, so that a file without line ends is not read whole."""
    number = 0
    while line := file.readline(MAX_RECORD):
        number += 1
        if len(line) >= MAX_RECORD:
            raise DataError(
                f"Line {number} of {path.name} is longer than 64 MB, which is no row. "
                "Check that it is the right file, with a line end after each row."
            )
        yield line


_CARRIAGE_RETURN = "\udc0d"
"""Stands for a lone carriage return while a record is parsed; no decoded text holds it."""
_LONE = re.compile(r"\r(?!\n)")
_NOTHING = {
    *("nan", "NaN", "-nan", "-NaN", "NA", "<NA>", "N/A", "n/a", "#N/A", "#N/A N/A", "#NA"),
    *("null", "NULL", "None", "1.#QNAN", "-1.#IND"),
}
"""What pandas writes and reads for an empty cell."""


def _kept_returns(lines: Iterable[str]) -> Iterator[str]:
    """Lines whose lone carriage returns are no line ends to `csv`: they are part of a cell."""
    for line in lines:
        yield _LONE.sub(_CARRIAGE_RETURN, line) if "\r" in line else line


def _guarded(records: Iterator[list[str]]) -> Iterator[list[str] | RowError]:
    while True:
        try:
            yield next(records)
        except StopIteration:
            return
        except csv.Error as error:
            yield RowError("malformed_csv", f"This record cannot be read: {error}.")


def _refuse_width(cells: list[str], path: Path) -> None:
    if len(cells) > MAX_COLUMNS:
        raise DataError(
            f"{path.name} has {len(cells):,} columns; at most {MAX_COLUMNS:,} can be rows of text. "
            "Check the delimiter, or keep only the columns that hold text."
        )


def _header(
    first: list[str],
    sample: list[list[str]],
    records: Iterator[list[str] | RowError],
    path: Path,
    note: Note,
) -> tuple[list[str], Iterable[list[str] | RowError]]:
    used = [
        at
        for at, cell in enumerate(first)
        if cell.strip() or any(c[at].strip() for c in sample if at < len(c))
    ]
    if not is_header(first, sample):
        note(f"{path.name} has no header: its columns are named column_1, column_2, ...")
        names = [f"column_{at + 1}" if at in used else "" for at in range(len(first))]
        return names, itertools.chain([first], records)
    names: list[str] = []
    for at, cell in enumerate(first):
        name = cell.strip() or (f"column_{at + 1}" if at in used else "")
        while name and name in names:
            name += "_2"
        names.append(name)
    unnamed = sum(1 for cell in first if not cell.strip())
    if unnamed:
        empty = names.count("")
        note(f"{path.name} has {unnamed} unnamed columns, {empty} of them empty and left out.")
    return names, records


def is_header(first: list[str], sample: list[list[str]]) -> bool:
    """Whether a first row names columns: short, distinct, wordy cells that do not come back as
    values in `sample`, the rows after it."""
    named = [cell.strip() for cell in first if cell.strip()]
    if not named or len(set(named)) < len(named):
        return False
    if any(len(cell) > 60 or "\n" in cell or _is_number(cell) for cell in named):
        return False
    if _other_kind_below(first, sample):
        return True
    if any(cell.endswith((".", "?", "!")) and " " in cell for cell in named):
        return False
    # a value of a column of classes ("ham", "spam") seen again below is a row, not a header
    return not any(
        sum(1 for cells in sample if at < len(cells) and cells[at].strip() == cell.strip()) > 1
        for at, cell in enumerate(first)
        if cell.strip()
    )


_STAMP = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:[ T]\d{1,2}:\d{2}.*)?|[^@\s]+@[^@\s]+\.\w+")


def _other_kind_below(first: list[str], sample: list[list[str]]) -> bool:
    """Whether a column holds numbers, dates or addresses below a cell that is none: forms write
    their questions as headings."""
    for at, cell in enumerate(first):
        below = [c[at].strip() for c in sample if at < len(c) and c[at].strip()]
        told = [_is_number(value) or bool(_STAMP.fullmatch(value)) for value in below]
        if cell.strip() and len(told) > 1 and all(told) and not _STAMP.fullmatch(cell.strip()):
            return True
    return False


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _csv_rows(
    records: Iterable[list[str] | RowError], names: list[str], path: Path, note: Note
) -> Iterator[RawRow]:
    width, number = len(names), 0
    kept = [(at, name) for at, name in enumerate(names) if name]
    for cells in records:
        if isinstance(cells, list) and not cells:
            continue  # a blank line
        number += 1
        if isinstance(cells, RowError):
            yield RawRow(number, {}, path.name, cells)
        elif len(cells) > width and any(cell.strip() for cell in cells[width:]):
            message = f"This record has {len(cells)} cells where the header has {width}."
            shown = "\n".join(cells)
            yield RawRow(number, {}, path.name, RowError("extra_cells", message), shown)
        else:
            row = {name: cells[at] if at < len(cells) else None for at, name in kept}
            for name, cell in row.items():
                if cell in _NOTHING:
                    note(f"{path.name} writes {cell} into empty cells; these were read as empty.")
                    row[name] = ""
                elif cell and _CARRIAGE_RETURN in cell:
                    row[name] = cell.replace(_CARRIAGE_RETURN, "\r")
            yield RawRow(number, row, path.name)


def read_parquet(path: Path, note: Note) -> Iterator[RawRow]:
    """Rows of a Parquet file, a row group's batch at a time."""
    try:
        source = path if path.suffix.lower() not in PACKED else pa.BufferReader(_all_bytes(path))
        file = pq.ParquetFile(source)
        _refuse_width(file.schema_arrow.names, path)
        kept, rows = table_limits.check_parquet(file, source, path)
        if kept:
            file = pq.ParquetFile(source, read_dictionary=kept)
        yield from _batches(file.iter_batches(batch_size=rows), path)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, "Parquet", error) from error


def read_arrow(path: Path, head: bytes, note: Note) -> Iterator[RawRow]:
    """Rows of an Arrow IPC file or stream, memory-mapped."""
    try:
        packed = path.suffix.lower() in PACKED
        source = pa.BufferReader(_all_bytes(path)) if packed else pa.memory_map(str(path))
        stream = not head.startswith(b"ARROW1")
        table_limits.check_arrow(source, path, stream)
        source.seek(0)
        if not stream:
            reader = pa.ipc.open_file(source)
            batches = map(reader.get_batch, range(reader.num_record_batches))
        else:
            reader = pa.ipc.open_stream(source)
            batches = iter(reader)
        _refuse_width(reader.schema.names, path)
        yield from _batches(_slices(batches), path)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, "Arrow", error) from error


def _slices(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Batches in short parts, each looked through first: what a file claims of its texts' ends is
    read from memory as it stands, whoever it belongs to."""
    for batch in batches:
        batch.validate(full=True)
        yield from (batch.slice(at, _BATCH) for at in range(0, batch.num_rows, _BATCH))


def _batches(batches: Iterable[pa.RecordBatch], path: Path) -> Iterator[RawRow]:
    number = 0
    for batch in batches:
        for piece in table_limits.pieces(batch, path):
            for row in piece.to_pylist():
                number += 1
                yield RawRow(number, without_filled(row), path.name)


def without_filled(row: Row) -> Row:
    """A row of Arrow whose objects are without the keys that hold null: every object of a column
    has all keys of all of them. Turns keep theirs."""
    return {name: _without_nulls(cell) for name, cell in row.items()}


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        turn = "role" in value or "from" in value
        return {k: _without_nulls(one) for k, one in value.items() if turn or one is not None}
    return [_without_nulls(one) for one in value] if isinstance(value, list) else value


def _all_bytes(path: Path) -> bytes:
    """An unpacked file, which columns need whole."""
    with open_bytes(path) as file:
        data = file.read(_MOST_UNPACKED + 1)
    if len(data) > _MOST_UNPACKED:
        raise DataError(
            f"{path.name} unpacks to more than {_MOST_UNPACKED >> 20:,} MB. Unpack it first: "
            "columns are packed within such a file already."
        )
    return data


def _damaged(path: Path, what: str, error: Exception) -> DataError:
    reason = str(error).splitlines()[0][:120].rstrip(".") if str(error) else type(error).__name__
    return DataError(f"{path.name} is damaged or not {what}: {reason}. Download or write it again.")
