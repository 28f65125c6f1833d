"""The words of the data engine: what a row, a problem and an inspection are."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

TYPES = (
    "language_modeling",
    "prompt_completion",
    "conversational",
    "prompt_only",
    "preference",
    "unpaired_preference",
    "comparison",
)
"""TRL's dataset types, and `comparison`: several answers to a prompt without a verdict (for
Label)."""

Progress = Callable[[int, int | None, str], None]
"""`progress(done, total or None, what)`; raising `studio.core.errors.Cancelled` from it stops the
work."""


@dataclass(frozen=True)
class Problem:
    """What is wrong with one row (or, with `row=None`, with a file).

    `row` counts from 1 as a person would: the line of a JSONL file, the record of any other.
    `severity` is "error" (the row is set aside) or "warning" (the row is kept).
    """

    row: int | None
    kind: str
    message: str
    file: str | None = None
    field: str | None = None
    severity: str = "error"

    def as_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return {
            "row": self.row,
            "kind": self.kind,
            "message": self.message,
            "file": self.file,
            "field": self.field,
            "severity": self.severity,
        }


REPORTED = 500
"""Rows between two reports of progress."""


class Notes(list[str]):
    """What a person should know about a source, each thing once; called to add one.

    Readers also tell it which file they read, so that it knows how much of the bytes is done, and
    can say so to `progress`.
    """

    def __init__(self, progress: Progress | None = None) -> None:
        super().__init__()
        self._progress = progress
        self._done = 0
        self._total = 0
        self._now: tuple[Any, int] | None = None

    def __call__(self, text: str) -> None:
        if text not in self:
            self.append(text)

    def expect(self, size: int) -> None:
        """So many bytes are to be read."""
        self._total += size

    def watch(self, file: Any, size: int) -> None:
        """`file` (open, of `size` bytes on disk) is the one read from here on."""
        if self._now:
            self._done += self._now[1]
        self._now = (file, size)

    def count(self, rows: int, what: str) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """So many rows are done, reported now and then; the total is judged by the bytes read."""
        if self._progress and rows % REPORTED == 0:
            share = self.share()
            self._progress(rows, max(rows, round(rows / share)) if share else None, what)

    def share(self) -> float | None:
        """Share of the bytes read so far; None where sizes are not known."""
        if not self._total or self._now is None or self._now[0].closed:
            return None
        return min(1.0, (self._done + self._now[0].tell()) / self._total)


class RowError(Exception):
    """A converter's way to say why one row cannot be used; becomes a `Problem` with its row
    number."""

    def __init__(self, kind: str, message: str, field: str | None = None):
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.field = field


@dataclass(
    slots=True
)  # not frozen: a million of them are made, and frozen ones take thrice as long
class RawRow:
    """One record as its file holds it; `error` is set where the record could not be read, and
    `text` is then what stands there, as far as it is known."""

    number: int
    data: dict[str, Any]
    file: str
    error: RowError | None = None
    text: str = ""


@dataclass
class Inspection:
    """What a source holds: how it was recognised, how much of it loads, and what is wrong with
    the rest.

    `rows` counts every record, `kept` those that load; `problems` lists at most `MAX_LISTED` of
    each kind while `problem_counts` counts them all. `sample` is the first rows in TRL's form.
    `groups`: columns one can balance by, with their number of values. `preference`: see
    `studio.data.checks.preference_bias`.
    """

    source: str
    format: str
    type: str
    confidence: float
    why: str
    rows: int = 0
    kept: int = 0
    columns: list[str] = field(default_factory=list)
    mapping: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    sample: list[dict[str, Any]] = field(default_factory=list)
    problem_counts: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    groups: dict[str, int] = field(default_factory=dict)
    preference: dict[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        """JSON-able form; rows hold only what JSON can hold."""
        plain = {
            "source": self.source,
            "format": self.format,
            "type": self.type,
            "confidence": round(self.confidence, 3),
            "why": self.why,
            "rows": self.rows,
            "kept": self.kept,
            "columns": self.columns,
            "mapping": self.mapping,
            "problems": [problem.as_dict() for problem in self.problems],
            "problem_counts": self.problem_counts,
            "sample": self.sample,
            "notes": self.notes,
            "groups": self.groups,
            "preference": self.preference,
        }
        return json.loads(json.dumps(plain, ensure_ascii=False, default=str))
