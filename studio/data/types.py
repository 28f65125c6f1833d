"""Types shared by the data engine: rows, problems, notes, inspections."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Protocol

Row = dict[str, Any]
"""A record of a source, or a row in TRL's form: column to value, as JSON holds it."""

JsonObject = dict[str, Any]
"""An object that is stored or shown as JSON: steps, settings, provenance, a report."""

TYPES = (
    "language_modeling",
    "prompt_completion",
    "conversational",
    "prompt_only",
    "preference",
    "unpaired_preference",
    "comparison",
    "embedding_pairs",
    "scored_pairs",
)
"""TRL's dataset types; `comparison`: several answers to a prompt without a preference (for the
Label tab); and those of sentence-transformers: `embedding_pairs`, an anchor with its positive and
any number of negatives, and `scored_pairs`, two sentences with their similarity."""

Progress = Callable[[int, int | None, str], None]
"""`progress(done, total or None, what)`; raising `studio.core.errors.Cancelled` from it stops the
work."""


@dataclass(frozen=True)
class Problem:
    """A problem with one row or, if `row` is None, with a file.

    `row` counts from 1: the line of a JSONL file, the record of any other.
    `severity` is "error" (the row is dropped) or "warning" (the row is kept).
    """

    row: int | None
    kind: str
    message: str
    file: str | None = None
    field: str | None = None
    severity: str = "error"

    def as_dict(self) -> JsonObject:
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
    """Notes about how a source was read, without repeats; call it to add one.

    Readers also register the file they read, so that `progress` can be estimated from bytes.
    """

    def __init__(self, progress: Progress | None = None) -> None:
        super().__init__()
        self.encoding: str | None = None
        """What a person said that files which are not UTF-8 are written in."""
        self.encodings: list[str] = []
        """Encodings that fit a file about as well, the one in use first."""
        self._progress = progress
        self._done = 0
        self._total = 0
        self._now: tuple[BinaryIO, int] | None = None

    def __call__(self, text: str) -> None:
        if text not in self:
            self.append(text)

    def expect(self, size: int) -> None:
        """Add `size` bytes to the total to be read."""
        self._total += size

    def watch(self, file: BinaryIO, size: int) -> None:
        """From here on `file` is read (open, `size` bytes on disk)."""
        if self._now:
            self._done += self._now[1]
        self._now = (file, size)

    def report(self, rows: int, what: str) -> None:
        """Report `rows` done, every `REPORTED` rows; the total is estimated from the bytes read."""
        if self._progress and rows % REPORTED == 0:
            share = self.share()
            self._progress(rows, max(rows, round(rows / share)) if share else None, what)

    def share(self) -> float | None:
        """Share of the bytes read so far; None if sizes are unknown."""
        if not self._total or self._now is None or self._now[0].closed:
            return None
        return min(1.0, (self._done + self._now[0].tell()) / self._total)


class RowError(Exception):
    """Raised by a converter when a row cannot be used; becomes a `Problem` with its row number."""

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
    data: Row
    file: str
    error: RowError | None = None
    text: str = ""


class RowSource(Protocol):
    """Where rows come from: files, the Hub, several files joined, rows in memory."""

    @property
    def name(self) -> str: ...

    def rows(self, note: Notes) -> Iterator[RawRow]:
        """Every record in order, read as it is asked for."""
        ...


@dataclass
class Inspection:
    """The result of inspecting a source: format, row counts, problems, and a sample.

    `rows` counts every record, `kept` those that load; `problems` lists at most `MAX_LISTED` of
    each kind while `problem_counts` counts them all. `sample` is the first rows in TRL's form.
    `groups`: columns one can balance by, with their number of values. `preference`: see
    `studio.data.checks.preference_bias`. `question` and `readings`: where the rows can be read in
    several ways, see `studio.data.prepared.questions`. `encodings`: for a file that is not UTF-8,
    the one it was read in and those that fit as well.
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
    sample: list[Row] = field(default_factory=list)
    problem_counts: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    groups: dict[str, int] = field(default_factory=dict)
    preference: JsonObject | None = None
    question: str | None = None
    readings: list[JsonObject] = field(default_factory=list)
    encodings: list[str] = field(default_factory=list)

    def as_dict(self) -> JsonObject:
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
            "question": self.question,
            "readings": self.readings,
            "encodings": self.encodings,
        }
        return json.loads(json.dumps(plain, ensure_ascii=False, default=str))
