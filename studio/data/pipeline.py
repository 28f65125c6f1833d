"""The one stream that inspecting and preparing share: located rows -> recognised -> converted ->
checked."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from studio.data.checks import Finding, Seen, check
from studio.data.formats import Format, detect
from studio.data.given import GivenRows
from studio.data.profile import PROFILE_ROWS, profile
from studio.data.sources import Located
from studio.data.types import Problem, Progress, RawRow, RowError
from studio.errors import DataError

MAX_LISTED = 1000
"""Problems listed of each kind; all are counted."""
_EVERY = 500


@dataclass(frozen=True, slots=True)
class Checked:
    """One record after all checks: its TRL row, or None where it could not be converted."""

    raw: RawRow
    row: dict[str, Any] | None
    findings: list[Finding]

    @property
    def errors(self) -> set[str]:
        """Kinds of the findings that set the row aside."""
        return {kind for kind, _, _, severity in self.findings if severity == "error"}


@dataclass
class Problems:
    """Problems as they come: counted by kind, the first of each kind listed."""

    listed: list[Problem] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, raw: RawRow, finding: Finding) -> None:
        kind, message, column, severity = finding
        self.counts[kind] += 1
        if self.counts[kind] <= MAX_LISTED:
            self.listed.append(Problem(raw.number, kind, message, raw.file, column, severity))


class Stream:
    """Rows of a source with the decision about their format; iterate once."""

    def __init__(
        self,
        located: Located | GivenRows,
        *,
        decided: Format | None = None,
        format: str | None = None,
        mapping: dict[str, str] | None = None,
        limit: int | None = None,
        progress: Progress | None = None,
    ):
        self.located = located
        self.notes: list[str] = []
        self.problems = Problems()
        self.rows = 0
        self._progress = progress
        rows = located.rows(self._note)
        self._rows = rows if limit is None else itertools.islice(rows, limit)
        self._head = list(itertools.islice(self._rows, PROFILE_ROWS))
        good = [raw.data for raw in self._head if raw.error is None]
        if not good:
            raise DataError(self._nothing())
        seen = profile(good)
        self.columns = list(seen.columns)
        self.format = decided or detect(seen, format=format, mapping=mapping, name=located.name)

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def _nothing(self) -> str:
        if not self._head:
            return f"{self.located.name} is empty: there are no rows in it."
        first = self._head[0]
        reason = first.error.message if first.error else ""
        return f"No row of {self.located.name} could be read. Row {first.number}: {reason}"

    def __iter__(self) -> Iterator[Checked]:
        seen = Seen()
        for raw in itertools.chain(self._head, self._rows):
            self.rows += 1
            if self._progress and self.rows % _EVERY == 0:
                self._progress(self.rows, None, "Reading rows")
            checked = self._check(raw, seen)
            for finding in checked.findings:
                self.problems.add(raw, finding)
            yield checked
        self._head = []
        if self._progress:
            self._progress(self.rows, self.rows, "Read all rows")

    def _check(self, raw: RawRow, seen: Seen) -> Checked:
        try:
            if raw.error:
                raise raw.error
            row = self.format.row(raw.data)
        except RowError as error:
            return Checked(raw, None, [(error.kind, error.message, error.field, "error")])
        findings = check(row, self.format.type)
        if not any(kind == "lone_surrogate" for kind, *_ in findings):
            findings += seen.check(row, self.format.type, raw.number)
        return Checked(raw, row, findings)
