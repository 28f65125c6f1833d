"""How large the cells of Parquet and Arrow files are, said before they are unpacked.

Both pack well: a value that stands once in a dictionary may be repeated a million times, and a
compressed buffer may unpack to anything. What the files say of themselves is looked at first: the
sizes of a column chunk and the header of its dictionary's page in Parquet, the length before each
compressed buffer in Arrow. What they do not say is counted before it becomes Python's.

Formats: https://github.com/apache/parquet-format (PageHeader, in Thrift's compact protocol) and
https://arrow.apache.org/docs/format/Columnar.html (Message and RecordBatch, as flatbuffers).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq

from studio.core.errors import DataError
from studio.data.readers.json_stream import MAX_RECORD

pc: Any = pyarrow.compute  # its functions are made as it is imported
MAX_BUFFER = 1 << 30
"""Bytes that a compressed buffer of an Arrow file may unpack to: writers make batches of a few."""
_MOST_PACKED = 500  # text packs to a hundredth at best
_SPREAD = 4 * MAX_RECORD  # bytes that a batch may take once its dictionaries are written out
_BATCH = 1024  # rows; each batch repeats the dictionaries of its columns within lists
_HEADER = 64  # bytes that hold the first numbers of a page's header
_TEXTS = (pa.string(), pa.large_string(), pa.binary(), pa.large_binary())


# ---- Parquet -------------------------------------------------------------------------------------


def check_parquet(file: pq.ParquetFile, source: Any, path: Path) -> tuple[list[str], int]:
    """How a file is read so that its dictionaries, written out, fit in memory: the columns within
    lists that are to be read with theirs, to be measured by `pieces`, and the rows at a time.

    Args:
        source: the file's bytes: its path, or a `pa.BufferReader`.

    Raises `DataError` for a file that says of itself that a cell is larger than `MAX_RECORD`.
    """
    metadata = file.metadata
    kept: dict[str, None] = {}
    largest: dict[str, int] = {}
    with pa.OSFile(str(source)) if isinstance(source, Path) else nullcontext(source) as data:
        for group in range(metadata.num_row_groups):
            rows = metadata.row_group(group).num_rows
            for column in range(metadata.num_columns):
                chunk = metadata.row_group(group).column(column)
                _refuse_packed(chunk, rows, path)
                entries = _dictionary_bytes(chunk, data)
                if entries > MAX_RECORD:
                    raise DataError(
                        f"{path.name}: the dictionary of {chunk.path_in_schema} takes "
                        f"{entries:,} bytes, which no text does. Write the file without it."
                    )
                name = chunk.path_in_schema
                if file.schema.column(column).max_repetition_level == 0:
                    largest[name] = max(largest.get(name, 0), entries)
                elif entries * chunk.num_values > _SPREAD:
                    kept[name] = None
    rows = _SPREAD // max(1, sum(largest.values()))
    return list(kept), max(1, min(rows, _BATCH * 8 if kept else _BATCH))


def _refuse_packed(chunk: Any, rows: int, path: Path) -> None:
    """Refuse what unpacks to far more than it takes, or has more bytes than its rows may."""
    whole, packed = chunk.total_uncompressed_size, max(1, chunk.total_compressed_size)
    if whole > MAX_RECORD and whole > _MOST_PACKED * packed:
        raise DataError(
            f"{path.name}: {chunk.path_in_schema} would unpack from {packed:,} bytes to "
            f"{whole:,}, which is no text. Write the file again without that column."
        )
    if whole > MAX_RECORD * max(1, rows) + (1 << 16):  # headers of pages are counted, too
        raise _too_long(path, chunk.path_in_schema)


def _dictionary_bytes(chunk: Any, data: Any) -> int:
    """Bytes of a chunk's dictionary of texts, unpacked, as the header of its page says, else 0."""
    if not chunk.has_dictionary_page or chunk.physical_type != "BYTE_ARRAY":
        return 0
    data.seek(chunk.dictionary_page_offset)
    numbers = _compact_numbers(data.read(_HEADER))
    return numbers.get(2, int(chunk.total_uncompressed_size))  # 1: kind, 2: unpacked, 3: packed


def _compact_numbers(header: bytes) -> dict[int, int]:
    """The leading 32-bit fields of a Thrift structure in the compact protocol, by their number."""
    found: dict[int, int] = {}
    at, field = 0, 0
    while at < len(header) and header[at] & 0x0F == 5 and header[at] >> 4:
        field += header[at] >> 4
        value, shift, at = 0, 0, at + 1
        while at < len(header):
            byte = header[at]
            value, shift, at = value | (byte & 0x7F) << shift, shift + 7, at + 1
            if shift > 35:
                return {}  # no number of 32 bits: damage, which the reader says
            if byte < 0x80:
                found[field] = (value >> 1) ^ -(value & 1)
                break
    return found


# ---- Arrow ---------------------------------------------------------------------------------------


def check_arrow(source: pa.NativeFile, path: Path, stream: bool) -> None:
    """Raise `DataError` where a compressed buffer would unpack to more than text does.

    Reads every message's header and none of its content.
    """
    if not stream:
        source.seek(8)  # ARROW1 and padding; what follows is a stream
    messages = pa.ipc.MessageReader.open_stream(source)
    while True:
        try:
            message = messages.read_next_message()
        except (StopIteration, pa.ArrowInvalid):
            return  # its end, or damage that the reader says in its own words
        for packed, whole in _buffers(message):
            if whole > MAX_BUFFER or (whole > MAX_RECORD and whole > _MOST_PACKED * packed):
                raise DataError(
                    f"{path.name}: a column would unpack from {packed:,} bytes to {whole:,}, which "
                    "is no text. Write the file again, in smaller batches."
                )


def _buffers(message: pa.Message) -> Iterator[tuple[int, int]]:
    """(packed, unpacked) bytes of the compressed buffers of a message; none where nothing is."""
    if message.type not in ("record batch", "dictionary") or message.body is None:
        return
    try:
        batch = _Table.root(message.metadata.to_pybytes()).table(2)  # Message.header
        if message.type == "dictionary":
            batch = batch and batch.table(1)  # DictionaryBatch.data
        if batch is None or batch.table(3) is None:  # RecordBatch.compression
            return
        spans = batch.structs(2, "<qq")  # RecordBatch.buffers: offset and length
    except (struct.error, IndexError):
        return  # no flatbuffer; the reader says so
    for offset, length in spans:
        if length >= 8:
            [whole] = struct.unpack("<q", message.body.slice(offset, 8).to_pybytes())
            yield length, whole  # -1: kept as it is


class _Table:
    """A table of a flatbuffer (https://flatbuffers.dev/internals): fields by number."""

    def __init__(self, data: bytes, at: int):
        self._data, self._at = data, at
        self._fields = at - self._number("<i", at)

    @classmethod
    def root(cls, data: bytes) -> _Table:
        return cls(data, struct.unpack_from("<I", data)[0])

    def _number(self, kind: str, at: int) -> int:
        return struct.unpack_from(kind, self._data, at)[0]

    def _field(self, number: int) -> int:
        """Where a field's value stands; 0 where the table has none."""
        slot = 4 + 2 * number
        if slot >= self._number("<H", self._fields):
            return 0
        offset = self._number("<H", self._fields + slot)
        return self._at + offset if offset else 0

    def table(self, number: int) -> _Table | None:
        at = self._field(number)
        return _Table(self._data, at + self._number("<I", at)) if at else None

    def structs(self, number: int, kind: str) -> list[tuple[int, ...]]:
        at = self._field(number)
        if not at:
            return []
        at += self._number("<I", at)
        size, start = self._number("<I", at), at + 4
        width = struct.calcsize(kind)
        if start + size * width > len(self._data):
            raise IndexError("a vector past the end")
        return list(struct.iter_unpack(kind, self._data[start : start + size * width]))


# ---- both: what a batch becomes ------------------------------------------------------------------


def pieces(batch: pa.RecordBatch, path: Path) -> Iterator[pa.RecordBatch]:
    """A batch in parts that fit in memory once they are Python's, without dictionaries; refused
    where a cell does not fit."""
    if not batch.num_rows:
        return
    if batch.nbytes <= MAX_RECORD and not any(map(_repeats, batch.schema.types)):
        yield batch  # no cell can be too long
        return
    total = np.zeros(batch.num_rows, dtype=np.int64)
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        sizes = cell_bytes(column)
        if int(sizes.max()) > MAX_RECORD:
            raise _too_long(path, name)
        total += sizes
    start, spread = 0, np.cumsum(total)
    while start < batch.num_rows:
        before = int(spread[start - 1]) if start else 0
        end = int(np.searchsorted(spread, before + _SPREAD, side="right"))
        end = max(start + 1, end)
        yield _written_out(batch.slice(start, end - start))
        start = end


def _written_out(batch: pa.RecordBatch) -> pa.RecordBatch:
    """A batch without dictionaries, which become Python's objects one by one."""
    kinds = [_plain(kind) for kind in batch.schema.types]
    columns = [
        column if column.type == kind else column.cast(kind)
        for column, kind in zip(batch.columns, kinds, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _plain(kind: pa.DataType) -> pa.DataType:
    """A type without dictionaries; itself where a cast knows no way."""
    types = pa.types
    if types.is_dictionary(kind):
        return kind.value_type
    if types.is_list(kind):
        return pa.list_(kind.value_field.with_type(_plain(kind.value_type)))
    if types.is_struct(kind):
        return pa.struct([field.with_type(_plain(field.type)) for field in kind])
    return kind


def _repeats(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return True
    return any(_repeats(kind.field(at).type) for at in range(kind.num_fields))


def cell_bytes(column: Any) -> Any:
    """Bytes of every cell with its dictionary written out: int64 [rows] of numpy."""
    kind, types = column.type, pa.types
    if isinstance(column, pa.ExtensionArray):
        return cell_bytes(column.storage)
    if types.is_dictionary(kind):
        entries = np.append(cell_bytes(column.dictionary), 0)  # the last for what is null
        return entries[np.asarray(pc.fill_null(column.indices.cast("int64"), len(entries) - 1))]
    if kind in _TEXTS:
        return np.asarray(pc.fill_null(pc.binary_length(column), 0)).astype(np.int64)
    if types.is_struct(kind):
        parts = [cell_bytes(part) for part in column.flatten()]
        return np.add.reduce(np.stack(parts)) if parts else _fixed(column, 8)
    if types.is_fixed_size_list(kind):
        inner = cell_bytes(column.flatten()) if not column.null_count else cell_bytes(column.values)
        return _fixed(column, 8 + int(inner.max(initial=0)) * kind.list_size)
    if types.is_list(kind) or types.is_large_list(kind) or types.is_map(kind):
        if types.is_map(kind):
            child = cell_bytes(column.keys) + cell_bytes(column.items)
        else:
            child = cell_bytes(column.values)
        ends = np.concatenate([[0], np.cumsum(child + 8)])
        offsets = np.asarray(column.offsets)
        return ends[offsets[1:]] - ends[offsets[:-1]]
    return _fixed(column, 8 if types.is_primitive(kind) else column.nbytes)  # all of a rare type


def _fixed(column: Any, size: int) -> np.ndarray:
    return np.full(len(column), size, dtype=np.int64)


def _too_long(path: Path, name: str) -> DataError:
    return DataError(
        f"{path.name}: a cell of {name} is longer than {MAX_RECORD >> 20} MB; "
        "a row of text is shorter. Remove it and read the file again."
    )
