"""A source read once: every row in TRL's form on disk, with what is wrong and how it was known.

Inspecting, paging to any row, listing problems and preparing all work on one reading, so that a
file of a million rows is read and converted a single time.
"""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import orjson

from studio.core.errors import DataError
from studio.core.workspace import check_room
from studio.data.arrow_schema import Shape
from studio.data.checks.category_columns import Groups
from studio.data.checks.cross_row import Across
from studio.data.checks.preference_bias import PreferenceReport, PreferenceTally
from studio.data.checks.problems import Problems, place_key, problem_of
from studio.data.checks.row_checks import Row
from studio.data.formats.annotation_exports import find_export
from studio.data.formats.column_profile import PROFILE_ROWS, Profile, profile
from studio.data.formats.detection import Format
from studio.data.prepared.message_threads import find_threads
from studio.data.prepared.people_chats import find_people
from studio.data.prepared.questions import question, readings
from studio.data.prepared.rejected_records import Unread
from studio.data.prepared.row_stream import Checked, Stream
from studio.data.readers.sources import Located
from studio.data.row_spool import Spool
from studio.data.types import Inspection, JsonObject, Notes, Problem, Progress, RowSource

SAMPLE_ROWS = 5
UNUSABLE, EMPTY, EQUAL, DUPLICATE, NEAR, CONTRADICTION = (1 << bit for bit in range(6))
"""Why a row may be left out, as bits of its flags."""

_FLAGS = {"empty_field": EMPTY, "equal_sides": EQUAL}
_ERRORS = UNUSABLE | EMPTY | EQUAL
_ACROSS = {"duplicate": DUPLICATE, "near_duplicate": NEAR, "contradiction": CONTRADICTION}
First = Callable[[Inspection], None]


class SourceReading:
    """All rows of a source; positions count converted rows from 0, `kept` those without errors.

    `folder` is where the rows lie meanwhile (None: the system's place for temporary files). Call
    `close`, or use as a context manager. Reading pages is safe from several threads.
    """

    def __init__(
        self,
        located: RowSource,
        stream: Stream,
        *,
        folder: Path | None = None,
        progress: Progress | None = None,
        near: bool = True,
    ):
        self.located, self.stream = located, stream
        self.spool, self.shape, self.problems = Spool(folder), Shape(), Problems(folder)
        self.unread = Unread(folder)
        self.groups, self._tally = Groups(stream.profile), PreferenceTally()
        self._pairs = stream.format.type == "preference"
        self._numbers, self._file, self._flags = array("q"), array("H"), bytearray()
        self._files: dict[str, int] = {}
        self._progress = progress
        across = Across(stream.format.type, folder, near)
        try:
            for checked in stream:
                self._keep(checked, across)
            self.flags = np.frombuffer(self._flags, np.uint8).copy()
            self._compare(across)
        except BaseException:
            self.close()
            raise
        finally:
            across.close()
        self.prompts, self.digests = across.prompts, across.rows
        self.good = np.flatnonzero(self.flags & _ERRORS == 0)

    def _keep(self, checked: Checked, across: Across) -> None:
        raw, row = checked.raw, checked.row
        file = self._files.setdefault(raw.file, len(self._files))
        flag = 0
        for finding in checked.findings:
            self.problems.add(problem_of(finding, raw.number, raw.file), file)
            if finding[3] == "error":
                flag |= _FLAGS.get(finding[0], UNUSABLE)
        if row is None or any(finding[0] == "lone_surrogate" for finding in checked.findings):
            self.unread.add(raw, file)
            return
        self.shape.see(row)
        dumped = orjson.dumps(row, default=str)
        self.spool.append(dumped)
        self._numbers.append(raw.number)
        self._file.append(file)
        self._flags.append(flag)
        self.groups.see(raw.data)
        if self._pairs and not flag:
            self._tally.see(row, raw.data, self.stream.format.mapping.get("answer1"))
        across.see(row, dumped, checked.text)

    def _compare(self, across: Across) -> None:
        names = list(self._files)
        for at, before, finding in across.findings(self.spool, self._progress):
            where = f"row {self._numbers[before]}"
            if self._file[before] != self._file[at]:
                where += f" of {names[self._file[before]]}"
            kind, message, field, severity = finding
            words = message.format(where=where)
            told = (kind, words[:1].upper() + words[1:], field, severity)
            file = self._file[at]
            self.problems.add(problem_of(told, self._numbers[at], names[file]), file)
            self.flags[at] |= _ACROSS[kind]

    # ---- rows -----------------------------------------------------------------------------------

    @property
    def rows(self) -> int:
        """Records in the source, good and bad."""
        return self.stream.rows

    @property
    def kept(self) -> int:
        """Rows without errors."""
        return len(self.good)

    @property
    def readable(self) -> int:
        """Rows that could be converted and stored, the empty and the equal ones among them."""
        return int(np.count_nonzero(self.flags & UNUSABLE == 0))

    def row(self, at: int) -> Row:
        """The `at`-th good row (from 0), as it would be trained on."""
        if not 0 <= at < len(self.good):
            raise DataError(f"There is no row {at + 1}: {len(self.good):,} rows are good.")
        return orjson.loads(self.spool.one(int(self.good[at])))

    def page(self, start: int = 0, count: int = 50) -> list[Row]:
        """Good rows `start` to `start + count`."""
        return [orjson.loads(raw) for raw in self.spool.raw(self.good[start : start + count])]

    def at(self, position: int) -> JsonObject:
        """A converted row, good or not, with its place: `{"file", "row", "data"}`."""
        return {
            "file": list(self._files)[self._file[position]],
            "row": self._numbers[position],
            "data": orjson.loads(self.spool.one(position)),
        }

    def place(self, at: int) -> tuple[str, int]:
        """(file, row number in it) of the `at`-th good row."""
        where = int(self.good[at])
        return list(self._files)[self._file[where]], self._numbers[where]

    @property
    def keys(self) -> np.ndarray:
        """Where every record stands (see `place_key`): converted rows, then the `unread` ones."""
        files = np.concatenate([np.array(self._file), np.array(self.unread.files)])
        numbers = np.concatenate([np.array(self._numbers), np.array(self.unread.numbers)])
        return place_key(files, numbers.astype(np.int64))

    def key(self, file: str | None, number: int) -> int:
        """The key of a file's row; -1 for a file that is not part of the source."""
        at = self._files.get(file or "")
        return -1 if at is None else int(place_key(np.array(at), np.array(number)))

    def name_of(self, key: int) -> tuple[str, int]:
        """(file, row number in it) of a key."""
        return list(self._files)[key >> 40], key & ((1 << 40) - 1)

    def tell(self, kinds: Iterable[str], found: Iterable[Problem]) -> None:
        """Replace the problems of some kinds, as those that depend on a model are."""
        placed = ((problem, self._files[problem.file or ""]) for problem in found)
        before, self.problems = self.problems, self.problems.renewed(kinds, placed)
        before.close()

    def find(self, number: int, file: str | None = None) -> int | None:
        """Position among the good rows of a file's row number; None where that row is not good."""
        same = np.array(self._numbers, np.int64)[self.good] == number
        if file is not None:
            same &= np.array(self._file, np.uint16)[self.good] == self._files.get(file, 65535)
        found = np.flatnonzero(same)
        return int(found[0]) if len(found) else None

    def search(self, text: str, start: int = 0) -> Iterator[int]:
        """Positions of good rows from `start` on that hold `text`, whatever its case."""
        wanted = text.casefold()
        for at, raw in enumerate(self.spool.raw(self.good[start:]), start):
            if any(wanted in found.casefold() for found in texts_within(orjson.loads(raw))):
                yield at

    # ---- results --------------------------------------------------------------------------------

    def inspection(self) -> Inspection:
        """What the source holds, for a person."""
        found = first_look(self.stream, self.page(0, SAMPLE_ROWS))
        found.rows, found.kept = self.rows, self.kept
        found.problems = sorted(
            self.problems.listed, key=lambda p: (self._files.get(p.file or "", 0), p.row or 0)
        )
        found.problem_counts = dict(self.problems.counts)
        found.groups = self.groups.columns()
        report = self.preference()
        found.preference = report.as_dict() if report else None
        return found

    def preference(self) -> PreferenceReport | None:
        """How length and place go with being chosen; None where the rows are no preferences."""
        return self._tally.report()

    def close(self) -> None:
        """Give the rows' place on disk back."""
        self.spool.close()
        self.problems.close()
        self.unread.close()

    def __enter__(self) -> SourceReading:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def texts_within(value: object) -> Iterator[str]:
    """Every text inside a row."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from texts_within(inner)


def first_look(stream: Stream, sample: list[Row]) -> Inspection:
    """An inspection of what is known before all rows are read."""
    return Inspection(
        source=stream.located.name,
        format=stream.format.name,
        type=stream.format.type,
        confidence=stream.format.confidence,
        why=stream.format.why,
        rows=len(sample),
        kept=len(sample),
        columns=stream.columns,
        mapping=dict(stream.format.mapping),
        sample=sample,
        notes=list(stream.notes),
        question=question(stream),
        readings=readings(stream),
        encodings=list(dict.fromkeys(stream.notes.encodings)),
    )


def _seen(located: RowSource) -> Profile:
    """What the first rows hold, before anybody decides on a format."""
    good = (raw.data for raw in located.rows(Notes()) if raw.error is None)
    return profile(itertools.islice(good, PROFILE_ROWS))


def _put_together(
    located: RowSource, seen: Profile, format: str | None, mapping: dict[str, str] | None
) -> RowSource | None:
    """The rows of an annotation tool's export, or the chats of people; None where the rows are
    neither, or where a person has said to read them otherwise."""
    if export := find_export(located, seen):
        return export
    own = any(column in seen.columns for column in (mapping or {}).values())
    if format not in (None, "people-chat") or own:
        return None
    return find_people(located, seen)


def read_located(
    located: RowSource,
    *,
    decided: Format | None = None,
    format: str | None = None,
    mapping: dict[str, str] | None = None,
    limit: int | None = None,
    progress: Progress | None = None,
    first: First | None = None,
    folder: Path | None = None,
    near: bool = True,
) -> SourceReading:
    """Read a located source to its end; once more where its later rows tell of another format."""

    def opened(decided: Format | None) -> Stream:
        return Stream(
            located, decided=decided, format=format, mapping=mapping, limit=limit, progress=progress
        )

    stream, refused = None, None
    try:
        stream = opened(decided) if not (format or mapping) else None
    except DataError as error:  # what an export holds may be seen only once it is opened
        refused = error
    if decided is None:
        first_rows = stream.profile if stream else _seen(located)
        put_together = _put_together(located, first_rows, format, mapping)
        if put_together:
            located, stream, refused = put_together, None, None
    if refused:
        raise refused
    stream = stream or opened(decided)
    threaded = None if format or mapping or decided else find_threads(located, stream.profile)
    if threaded:
        located = threaded
        stream = opened(None)
    if first:
        good = [c.row for c in stream.first(50) if c.row is not None and not c.errors]
        first(first_look(stream, good[:SAMPLE_ROWS]))
    if folder and not limit and isinstance(located, Located):
        how = "Make room, or read fewer rows of it."
        check_room(folder, located.size(), f"Reading {located.name}", how)
    reading = SourceReading(located, stream, folder=folder, progress=progress, near=near)
    other = stream.redetect_format()
    if other is not None:
        reading.close()
        before = stream.format.name
        stream = opened(other)
        stream.notes(
            f"The first rows look like {before}, but rows from the whole of {located.name} say "
            f"otherwise: {other.why}"
        )
        reading = SourceReading(located, stream, folder=folder, progress=progress, near=near)
    mixed = stream.mixed()
    if mixed:
        stream.notes(mixed)
    return reading
