"""Every problem of a source: counted by kind, listed by page, and written out as JSON Lines."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import orjson

from studio.core.errors import DataError, WorkspaceError, did_you_mean
from studio.data.row_spool import Spool
from studio.data.types import Problem

MAX_LISTED = 1000
"""Problems of each kind kept in memory; all are counted, and all are on disk."""


class Problems:
    """A list of problems, kept on disk so that a million of them need little memory."""

    def __init__(self, folder: Path | None = None) -> None:
        self.listed: list[Problem] = []
        self.counts: Counter[str] = Counter()
        self._folder, self._spool = folder, Spool(folder)
        self._kinds: dict[str, int] = {}
        self._kind = array("H")
        self._row = array("q")
        self._file = array("H")

    def __len__(self) -> int:
        return len(self._kind)

    def add(self, problem: Problem, file: int = 0) -> None:
        """Keep one problem; `file` is its file's position among the source's files."""
        self.counts[problem.kind] += 1
        if self.counts[problem.kind] <= MAX_LISTED:
            self.listed.append(problem)
        self._kind.append(self._kinds.setdefault(problem.kind, len(self._kinds)))
        self._row.append(problem.row or 0)
        self._file.append(file)
        held = problem.as_dict()
        if not problem.message.isascii():  # half a character cannot be written
            held["message"] = problem.message.encode("utf-8", "replace").decode("utf-8")
        self._spool.append(orjson.dumps(held, default=str))

    def keys_of(self, kind: str | None = None) -> np.ndarray:
        """Where each problem of a kind is (None: of all), as `place_key` has it."""
        where = self._order(kind)
        return place_key(np.array(self._file)[where], np.array(self._row, np.int64)[where])

    def at(self, key: int) -> list[Problem]:
        """Every problem of one row."""
        keys = place_key(np.array(self._file), np.array(self._row, np.int64))
        where = np.flatnonzero(keys == key)
        return [Problem(**orjson.loads(raw)) for raw in self._spool.raw(where)]

    def renewed(self, kinds: Iterable[str], found: Iterable[tuple[Problem, int]]) -> Problems:
        """A copy with the problems of some kinds replaced by others, each with its file's
        position."""
        fresh, left_out = Problems(self._folder), set(kinds)
        names = list(self._kinds)
        kept = [at for at, kind in enumerate(self._kind) if names[kind] not in left_out]
        for at, raw in zip(kept, self._spool.raw(kept), strict=True):
            fresh.add(Problem(**orjson.loads(raw)), self._file[at])
        for problem, file in found:
            fresh.add(problem, file)
        return fresh

    def page(self, kind: str | None = None, start: int = 0, count: int = 50) -> list[Problem]:
        """Problems `start` to `start + count` of a kind (None: of all), by file and row."""
        where = self._order(kind)[start : start + count]
        return [Problem(**orjson.loads(raw)) for raw in self._spool.raw(where)]

    def total(self, kind: str | None = None) -> int:
        """How many problems of a kind there are (None: of all)."""
        return len(self) if kind is None else self.counts.get(kind, 0)

    def write(self, path: str | Path, kind: str | None = None) -> int:
        """All problems of a kind (None: all) as JSON Lines; returns how many were written.

        Each line has file, row, kind, severity, field and message.
        """
        order = self._order(kind)
        try:
            with Path(path).open("wb") as file:
                for raw in self._spool.raw(order):
                    held = orjson.loads(raw)
                    names = ("file", "row", "kind", "severity", "field", "message")
                    file.write(orjson.dumps({name: held[name] for name in names}) + b"\n")
        except OSError as error:
            reason = error.strerror or error
            raise WorkspaceError(f"{path} could not be written: {reason}.") from error
        return len(order)

    def _order(self, kind: str | None) -> np.ndarray:
        if kind is not None and kind not in self._kinds:
            raise DataError(
                f'No problems of the kind "{kind}" were found.{did_you_mean(kind, self._kinds)}'
            )
        kinds = np.array(self._kind, np.uint16)
        chosen = np.arange(len(kinds))
        if kind is not None:
            chosen = np.flatnonzero(kinds == self._kinds[kind])
        rows, files = np.array(self._row, np.int64)[chosen], np.array(self._file)[chosen]
        return chosen[np.lexsort((rows, files))]

    def close(self) -> None:
        """Delete the list on disk; counts and the first problems of each kind stay."""
        self._spool.close()


def place_key(files: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """A number for a file's position and a row number in it, in reading order."""
    return (files.astype(np.int64) << 40) | rows


def problem_of(finding: tuple[str, str, str | None, str], row: int | None, file: str) -> Problem:
    """A finding of the checks at its place."""
    kind, message, column, severity = finding
    return Problem(row, kind, message, file, column, severity)
