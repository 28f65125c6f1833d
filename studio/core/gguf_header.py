"""A GGUF file's header, walked without keeping any of it.

The `gguf` package believes the counts in a header: an array that says it has 2**50 values keeps it
busy for good. Here every count is compared with the file and with what models need.
https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import IO

from studio.core.errors import ModelError

MOST_FIELDS, MOST_TENSORS, MOST_DIMENSIONS = 10_000, 100_000, 4
MOST_VALUES = 8_388_608  # of one array: a vocabulary, or its merges
_WIDTHS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_STRING, _ARRAY = 8, 9


def check(file: Path) -> None:
    """`ModelError` for a header whose counts are not of a model, or go beyond the file."""
    with file.open("rb") as data:
        walk = _Walk(data, file.name)
        walk.skip(4)
        (version,) = walk.read("I")
        if version > 0xFFFF:  # written by a machine of the other byte order
            walk.order = ">"
        tensors, fields = walk.counted(MOST_TENSORS), walk.counted(MOST_FIELDS)
        for _ in range(fields):
            walk.text()
            walk.value()
        for _ in range(tensors):
            walk.text()
            (dimensions,) = walk.read("I")
            walk.bounded(dimensions, MOST_DIMENSIONS)
            walk.skip(8 * dimensions + 4 + 8)


class _Walk:
    """A place in a header that never leaves the file."""

    def __init__(self, data: IO[bytes], name: str):
        self._data, self._name, self.order = data, name, "<"
        self._size = os.fstat(data.fileno()).st_size
        self._at = 0

    def read(self, kind: str) -> tuple[int, ...]:
        width = struct.calcsize(self.order + kind)
        self._within(width)
        return struct.unpack(self.order + kind, self._data.read(width))

    def skip(self, width: int) -> None:
        self._within(width)
        self._data.seek(self._at)

    def _within(self, width: int) -> None:
        self._at += width
        if self._at > self._size:
            raise self._wrong("it ends before its header does")

    def counted(self, most: int) -> int:
        (count,) = self.read("Q")
        return self.bounded(count, most)

    def bounded(self, count: int, most: int) -> int:
        if count > most:
            raise self._wrong(f"it counts {count:,} of what a model has at most {most:,} of")
        return count

    def text(self) -> None:
        self.skip(*self.read("Q"))

    def value(self) -> None:
        (kind,) = self.read("I")
        if kind != _ARRAY:
            self._values(kind, 1)
            return
        (kind,) = self.read("I")
        self._values(kind, self.counted(MOST_VALUES))

    def _values(self, kind: int, count: int) -> None:
        if kind == _STRING:
            for _ in range(count):
                self.text()
        elif kind in _WIDTHS:
            self.skip(_WIDTHS[kind] * count)
        else:
            raise self._wrong(f"it holds a value of kind {kind}")

    def _wrong(self, why: str) -> ModelError:
        return ModelError(
            f"{self._name} cannot be read as GGUF, it may be damaged or incomplete: {why}."
        )
