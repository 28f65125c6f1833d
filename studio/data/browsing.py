"""Rows to look through, one at a time: of a source just read, or of a prepared dataset.

Both answer the same questions: how many rows, which row is at a place, which rows match.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import orjson

from studio.data.prepared import PreparedDataset, tidy
from studio.data.reading import Reading, texts_within
from studio.data.types import Problem, Progress

GOOD, ALL = "good", "all"
"""Filters beside the kinds of problems: rows without errors, and every row that could be read."""
_EVERY = 2000


@dataclass(frozen=True)
class Shown:
    """A row as TRL would take it, where it stood in its file, and what is wrong with it."""

    row: dict[str, Any]
    number: int | None = None
    file: str | None = None
    problems: list[Problem] = field(default_factory=list)


class Rows(Protocol):
    """What the page looks through. Positions count from 0."""

    type: str

    def __len__(self) -> int: ...

    def show(self, position: int) -> Shown:
        """The row at a position."""
        ...

    def find(self, kind: str, text: str, progress: Progress | None = None) -> np.ndarray:
        """Positions of the rows of a filter that hold `text` (any, where it is empty)."""
        ...

    def trainable(self) -> Sequence[dict[str, Any]]:
        """The rows that would be trained on, read as they are asked for."""
        ...


class ReadRows:
    """Every row of a reading that could be converted, good or not."""

    def __init__(self, reading: Reading):
        self.reading = reading
        self.type = reading.stream.format.type

    def __len__(self) -> int:
        return len(self.reading.spool)

    def show(self, position: int) -> Shown:
        """The row with every problem listed about it."""
        held = self.reading.at(position)
        place = (held["file"], held["row"])
        return Shown(held["data"], held["row"], held["file"], self._problems.get(place, []))

    @cached_property
    def _problems(self) -> dict[tuple[str | None, int | None], list[Problem]]:
        found: dict[tuple[str | None, int | None], list[Problem]] = {}
        for problem in self.reading.problems.listed:
            found.setdefault((problem.file, problem.row), []).append(problem)
        return found

    def find(self, kind: str, text: str, progress: Progress | None = None) -> np.ndarray:
        """Positions by filter (`good`, `all`, or a kind of problem) and text."""
        if kind == GOOD:
            positions = self.reading.good
        elif kind == ALL:
            positions = np.arange(len(self))
        else:
            problems = self.reading.problems.page(kind, 0, self.reading.problems.total(kind))
            wanted = {(problem.file, problem.row) for problem in problems}
            places = enumerate(self.reading.places())
            positions = np.array([at for at, place in places if place in wanted], np.int64)
        if not text:
            return positions
        rows = map(orjson.loads, self.reading.spool.raw(positions))
        hits = _holding(rows, text, len(positions), progress)
        return positions[list(hits)]

    def position(self, file: str | None, number: int | None) -> int | None:
        """Where a file's row stands; None for one that could not be converted."""
        places = enumerate(self.reading.places())
        return next((at for at, place in places if place == (file, number)), None)

    def trainable(self) -> Sequence[dict[str, Any]]:
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

    def _row(self, position: int) -> dict[str, Any]:
        return tidy(self._table.slice(position, 1).to_pylist()[0])

    def show(self, position: int) -> Shown:
        """The row; a prepared dataset has no problems left to tell."""
        return Shown(self._row(position))

    def find(self, kind: str, text: str, progress: Progress | None = None) -> np.ndarray:
        """Positions by text; every row is a good one."""
        if not text:
            return np.arange(len(self))
        rows = (row for batch in self._table.to_batches(_EVERY) for row in batch.to_pylist())
        return np.array(list(_holding(rows, text, len(self), progress)), np.int64)

    def trainable(self) -> Sequence[dict[str, Any]]:
        """All of them."""
        return _Lazily(len(self), self._row)


class _Lazily(Sequence[Any]):
    """A sequence whose items are made when asked for."""

    def __init__(self, count: int, get: Any):
        self._count, self._get = count, get

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, at: Any) -> Any:
        if not 0 <= at < self._count:  # how iterating over a sequence ends
            raise IndexError(at)
        return self._get(at)


def _holding(
    rows: Iterator[dict[str, Any]], text: str, total: int, progress: Progress | None
) -> Iterator[int]:
    wanted = text.casefold()
    for at, row in enumerate(rows):
        if progress and at % _EVERY == 0:
            progress(at, total, "Searching")
        if any(wanted in found.casefold() for found in texts_within(row)):
            yield at
