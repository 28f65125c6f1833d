"""Converted rows on disk while their order and split are decided: flat memory, any number of
rows."""

from __future__ import annotations

import tempfile
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson

from studio.data.schema import Shape


class Spool:
    """Append rows, then read them back in any order; eight bytes of memory a row."""

    def __init__(self, folder: Path):
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by close()
        self._ends = array("q", [0])
        self.shape = Shape()

    def __len__(self) -> int:
        return len(self._ends) - 1

    def append(self, row: dict[str, Any]) -> None:
        """Keep one row."""
        self.shape.see(row)
        self._file.write(orjson.dumps(row, default=str))
        self._ends.append(self._file.tell())

    def raw(self, indices: Iterable[int]) -> Iterator[bytes]:
        """Rows as JSON bytes, in the order of `indices`."""
        for at in indices:
            start = self._ends[at]
            self._file.seek(start)
            yield self._file.read(self._ends[at + 1] - start)

    def close(self) -> None:
        """Drop the rows."""
        self._file.close()

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
