"""The stream of a source's rows: located -> recognized -> converted -> checked, one at a time."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from studio.core.errors import DataError
from studio.data.checks.row_checks import Finding, check, whole_text
from studio.data.checks.side_scores import against_scores
from studio.data.formats.column_profile import PROFILE_ROWS, profile
from studio.data.formats.detection import Format, detect
from studio.data.prepared.columns_beside import settled, with_columns
from studio.data.types import Notes, Progress, RawRow, Row, RowError, RowSource

_WEAK = ("prompt_only", "language_modeling")


@dataclass(slots=True)
class Checked:
    """One record after its own checks: its TRL row, or None where it could not be converted."""

    raw: RawRow
    row: Row | None
    findings: list[Finding]
    text: str = ""

    @property
    def errors(self) -> set[str]:
        """Kinds of the findings that set the row aside."""
        return {kind for kind, _, _, severity in self.findings if severity == "error"}


@dataclass
class _Sampled:
    """Rows from everywhere in a source, in flat memory: every n-th, and the first that failed."""

    rows: list[Row] = field(default_factory=list)
    failed: list[Row] = field(default_factory=list)
    failures: int = 0
    _stride: int = 1

    def see(self, number: int, row: Row) -> None:
        if number % self._stride == 0:
            self.rows.append(row)
            if len(self.rows) >= 2 * PROFILE_ROWS:
                self.rows = self.rows[1::2]
                self._stride *= 2

    def fail(self, row: Row) -> None:
        self.failures += 1
        if len(self.failed) < PROFILE_ROWS:
            self.failed.append(row)


class Stream:
    """Rows of a source with the decision about their format; iterate once."""

    def __init__(
        self,
        located: RowSource,
        *,
        decided: Format | None = None,
        format: str | None = None,
        mapping: dict[str, str] | None = None,
        limit: int | None = None,
        progress: Progress | None = None,
    ):
        self.located = located
        self.notes = Notes(progress)
        self.rows = 0
        self._progress = progress
        rows = located.rows(self.notes)
        self._rows = rows if limit is None else itertools.islice(rows, limit)
        self._head = list(itertools.islice(self._rows, PROFILE_ROWS))
        good = [raw.data for raw in self._head if raw.error is None]
        if not good:
            raise DataError(self._nothing())
        seen = profile(good)
        self._asked = {"format": format, "mapping": mapping, "name": located.name}
        self._forced = decided is not None
        self._sampled = _Sampled()
        self.profile = seen
        self.columns = list(seen.columns)
        self.format = decided or detect(seen, **self._asked)

    def _nothing(self) -> str:
        if not self._head:
            return f"{self.located.name} is empty: there are no rows in it."
        first = self._head[0]
        reason = first.error.message if first.error else ""
        return f"No row of {self.located.name} could be read. Row {first.number}: {reason}"

    def first(self, count: int) -> list[Checked]:
        """The first rows, checked, before anything else is read; iterating starts over."""
        return [self._check(raw) for raw in self._head[:count]]

    def __iter__(self) -> Iterator[Checked]:
        sampled, columns = self._sampled, dict.fromkeys(self.columns)
        for raw in itertools.chain(self._head, self._rows):
            self.rows += 1
            self.notes.report(self.rows, "Reading rows")
            several = [self._check(one) for one in self._each(raw)]
            if raw.error is None:
                if any(checked.row is None for checked in several):
                    sampled.fail(raw.data)
                if self.rows > PROFILE_ROWS:
                    sampled.see(self.rows, raw.data)
                    if not raw.data.keys() <= columns.keys():
                        columns.update(dict.fromkeys(raw.data))
            yield from several
        self._head = []
        self.columns = list(columns)[:1000]
        if self._progress:
            self._progress(self.rows, self.rows, "Read all rows")

    def _each(self, raw: RawRow) -> list[RawRow]:
        """The row, or one for each of its answers where the mapping takes each."""
        mapping = self.format.mapping
        column = mapping.get("completion", "")
        value = raw.data.get(column)
        if mapping.get("take") != "each" or not isinstance(value, list) or not value:
            return [raw]
        return [replace(raw, data={**raw.data, column: answer}) for answer in value]

    def _check(self, raw: RawRow) -> Checked:
        try:
            if raw.error:
                raise raw.error
            moved: list[Finding] = []
            row = settled(with_columns(self.format.row(raw.data), raw.data), moved, self.notes)
        except RowError as error:
            return Checked(raw, None, [(error.kind, error.message, error.field, "error")])
        text = whole_text(row)
        findings = [*moved, *check(row, self.format.type, text)]
        if self.format.type == "preference" and "better" not in self.format.mapping:
            findings = [*findings, *against_scores(raw.data)]
        return Checked(raw, row, findings, text)

    def redetect_format(self) -> Format | None:
        """Another format, where rows from everywhere say that the first ones misled.

        Rows are sampled evenly from the whole source, with some of those that could not be
        converted; the new decision must convert more of them than the old one.
        """
        sampled = self._sampled
        if self._forced or self.rows <= PROFILE_ROWS or not sampled.failures:
            return None
        rows = [*sampled.rows, *sampled.failed]
        try:
            other = detect(profile(rows), **self._asked)
        except DataError:
            return None
        if (other.name, other.mapping) == (self.format.name, self.format.mapping):
            return None
        if other.name == self.format.name and other.others:
            return other  # what the first rows left no doubt about, later ones do
        if other.type in _WEAK and self.format.type not in _WEAK:
            return None  # it reads more rows by leaving their answers out
        evenly = sampled.rows or rows
        gained = _converted(other, evenly) - _converted(self.format, evenly)
        if gained > 0 or (gained == 0 and _converted(other, rows) > _converted(self.format, rows)):
            return other
        return None

    def mixed(self) -> str | None:
        """A sentence where many rows that could not be converted look like another format."""
        sampled = self._sampled
        if len(sampled.failed) < 3 or sampled.failures < 0.02 * self.rows:
            return None
        try:
            other = detect(profile(sampled.failed), name=self.located.name)
        except DataError:
            return None
        same = (other.name, other.mapping) == (self.format.name, self.format.mapping)
        same |= other.type in _WEAK and self.format.type not in _WEAK  # the good part of bad rows
        if (
            other.confidence < 0.5
            or same
            or _converted(other, sampled.failed) < len(sampled.failed) / 2
        ):
            return None
        return (
            f"{sampled.failures:,} of {self.rows:,} rows do not read as {self.format.name}; they "
            f"look like {other.name} with other columns: {other.why} Save the two kinds of rows "
            "as two files, or rename the columns."
        )


def _converted(format: Format, rows: list[Row]) -> int:
    """How many of the rows a format reads."""
    count = 0
    for row in rows:
        try:
            format.row(row)
            count += 1
        except RowError:
            continue
    return count
