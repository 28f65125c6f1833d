"""Converted rows on disk while their order and split are decided: flat memory, any number of
rows."""

from __future__ import annotations

import tempfile
import threading
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path

RUN_BYTES = 4 << 20
"""Bytes read at once where rows lie side by side."""


_BUFFER = 1 << 20


class Spool:
    """Append rows as JSON bytes, then read them back in any order; eight bytes of memory a row.

    Reading is safe from several threads; `folder` None is the system's place for such files.
    """

    def __init__(self, folder: Path | None = None):
        self._file = tempfile.TemporaryFile(dir=folder, buffering=_BUFFER)  # noqa: SIM115 - closed by close()
        self._ends = array("q", [0])
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._ends) - 1

    def append(self, raw: bytes) -> None:
        """Keep one row."""
        self._file.write(raw)
        self._ends.append(self._ends[-1] + len(raw))

    def one(self, at: int) -> bytes:
        """One row's JSON bytes."""
        return self._piece(self._ends[at], self._ends[at + 1])

    def _piece(self, start: int, end: int) -> bytes:
        with self._lock:
            self._file.seek(start)
            return self._file.read(end - start)

    def raw(self, indices: Iterable[int]) -> Iterator[bytes]:
        """Rows as JSON bytes, in the order of `indices`; neighbours are read in one go."""
        run: list[int] = []
        for at in indices:
            at = int(at)
            if run and (at != run[-1] + 1 or self._ends[at] - self._ends[run[0]] > RUN_BYTES):
                yield from self._together(run)
                run = []
            run.append(at)
        if run:
            yield from self._together(run)

    def _together(self, run: list[int]) -> Iterator[bytes]:
        ends, first = self._ends, self._ends[run[0]]
        piece = self._piece(first, ends[run[-1] + 1])
        for at in run:
            yield piece[ends[at] - first : ends[at + 1] - first]

    def close(self) -> None:
        """Drop the rows."""
        self._file.close()

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
