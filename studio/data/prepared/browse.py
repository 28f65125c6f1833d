"""Rows to look through, one at a time: of a source just read, or of a prepared dataset.

Both answer the same questions: how many rows, which row is at a place, which rows match.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import orjson

from studio.data.prepared.reading import SourceReading, texts_within
from studio.data.prepared.store import PreparedDataset, tidy
from studio.data.types import Problem, Progress, Row

GOOD, ALL = "good", "all"
"""Filters beside the kinds of problems: rows without errors, and every row that could be read."""
_EVERY = 2000


@dataclass(frozen=True)
class ShownRow:
    """A row as TRL would take it, where it stood in its file, and what is wrong with it."""

    row: Row
    """Empty where the record could not be turned into a row; `raw` is then what stands there."""
    number: int | None = None
    file: str | None = None
    problems: list[Problem] = field(default_factory=list)
    raw: str | None = None


class Rows(Protocol):
    """What the page looks through. Positions count from 0."""

    type: str

    def __len__(self) -> int: ...

    def show(self, position: int) -> ShownRow:
        """The row at a position."""
        ...

    def find(self, kind: str, text: str, progress: Progress | None = None) -> np.ndarray:
        """Positions of the rows of a filter that hold `text` (any, where it is empty)."""
        ...

    def trainable(self) -> Sequence[Row]:
        """The rows that would be trained on, read as they are asked for."""
        ...


class ReadRows:
    """Every record of a reading: rows that could be converted, good or not, then the others."""

    def __init__(self, reading: SourceReading):
        self.reading = reading
        self.type = reading.stream.format.type
        self._keys = reading.keys

    def __len__(self) -> int:
        return len(self._keys)

    def show(self, position: int) -> ShownRow:
        """The row, or what stands where none could be made, with every problem of it."""
        key = int(self._keys[position])
        file, number = self.reading.name_of(key)
        problems = self.reading.problems.at(key)
        beyond = position - len(self.reading.spool)
        if beyond >= 0:
            return ShownRow({}, number, file, problems, self.reading.unread.text(beyond))
        return ShownRow(self.reading.at(position)["data"], number, file, problems)

    def find(self, kind: str, text: str, progress: Progress | None = None) -> np.ndarray:
        """Positions by filter (`good`, `all`, or a kind of problem) and text."""
        if kind == GOOD:
            positions = self.reading.good
        elif kind == ALL:
            positions = np.argsort(self._keys, kind="stable")
        else:
            problems = self.reading.problems
            positions = np.flatnonzero(np.isin(self._keys, problems.keys_of(kind)))
            positions = positions[np.argsort(self._keys[positions], kind="stable")]
        if not text:
            return positions
        hits = _holding(self._texts(positions), text, len(positions), progress)
        return positions[list(hits)]

    def _texts(self, positions: np.ndarray) -> Iterator[object]:
        """The rows at positions, those that could not be converted as text."""
        count = len(self.reading.spool)
        rows = self.reading.spool.raw(positions[positions < count])
        for at in positions:
            yield orjson.loads(next(rows)) if at < count else self.reading.unread.text(at - count)

    def position(self, file: str | None, number: int) -> int | None:
        """Where a file's row stands; None for one that is not there."""
        found = np.flatnonzero(self._keys == self.reading.key(file, number))
        return int(found[0]) if len(found) else None

    def trainable(self) -> Sequence[Row]:
        """The rows without errors."""
        return _Lazily(self.reading.kept, self.reading.row)


class StoredRows:
    """One split of a prepared dataset; the file stays open, so paging is instant."""

    def __init__(self, dataset: PreparedDataset, split: str = "train"):
        import pyarrow.parquet as pq

        self.type = dataset.type
        self._table = pq.read_table(dataset.path(split), memory_map=True)

    def __len__(self) -> int:
        return self._table.num_rows

    def _row(self, position: int) -> Row:
        return tidy(self._table.slice(position, 1).to_pylist()[0])

    def show(self, position: int) -> ShownRow:
        """The row; a prepared dataset has no problems left to tell."""
        return ShownRow(self._row(position))

    def find(self, kind: str, text: str, progress: Progress | None = None) -> np.ndarray:
        """Positions by text; every row is a good one."""
        if not text:
            return np.arange(len(self))
        rows = (row for batch in self._table.to_batches(_EVERY) for row in batch.to_pylist())
        return np.array(list(_holding(rows, text, len(self), progress)), np.int64)

    def trainable(self) -> Sequence[Row]:
        """All of them."""
        return _Lazily(len(self), self._row)


class _Lazily(Sequence[Row]):
    """A sequence whose items are made when asked for."""

    def __init__(self, count: int, get: Callable[[int], Row]):
        self._count, self._get = count, get

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, at: Any) -> Any:
        if not 0 <= at < self._count:  # how iterating over a sequence ends
            raise IndexError(at)
        return self._get(at)


def _holding(
    rows: Iterator[object], text: str, total: int, progress: Progress | None
) -> Iterator[int]:
    wanted = text.casefold()
    for at, row in enumerate(rows):
        if progress and at % _EVERY == 0:
            progress(at, total, "Searching")
        if any(wanted in found.casefold() for found in texts_within(row)):
            yield at
