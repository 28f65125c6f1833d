"""Several models' answers to the same prompts, a file each: joined on an id or on the prompt.

Rule: two to ten files are joined, not read one after the other, where at least two hold answers,
one holds the prompts, and the rows of all share the values of one column: an id, or the prompt
itself. Files with the same columns (shards look so) are joined only where the prompts are the same.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from studio.core.errors import DataError
from studio.data.formats import column_names
from studio.data.formats.column_profile import PROFILE_ROWS, Profile, profile
from studio.data.readers.encodings import DOCUMENTS, data_suffix
from studio.data.readers.files import read_file
from studio.data.types import Notes, RawRow, Row, RowError

MAX_FILES = 10
_ANSWERING = {"answer_id", "model_id", "model", "generator"}


@dataclass(frozen=True)
class _Part:
    """One file's role in a join."""

    path: Path
    key: str
    prompt: str | None
    answer: str | None


@dataclass(frozen=True)
class Joined:
    """A source made of files joined on a column; looks like a `Located` to the stream."""

    name: str
    parts: tuple[_Part, ...]

    def rows(self, note: Notes) -> Iterator[RawRow]:
        """A row a prompt: `prompt`, `answer1`, `answer2`, ... and the files they came from."""
        answers = [part for part in self.parts if part.answer]
        asking = next(part for part in self.parts if part.prompt)
        models = ", ".join(f'answer{at}: "{p.path.name}"' for at, p in enumerate(answers, 1))
        note(f'Rows of {len(self.parts)} files are joined on "{answers[0].key}" ({models}).')
        for part in (*answers, asking):
            note.expect(part.path.stat().st_size)
        tables = [_column(part, part.answer or "", note) for part in answers]
        asked = _column(asking, asking.prompt or "", note)
        for number, (key, prompt) in enumerate(asked.items(), 1):
            row: Row = {"prompt": prompt}
            if asking.prompt != asking.key:
                row[asking.key] = key
            for at, table in enumerate(tables, 1):
                row[f"answer{at}"] = table.get(key)
            missing = [p.path.name for p, t in zip(answers, tables, strict=True) if key not in t]
            error = None
            if missing:
                error = RowError("no_partner", f"{' and '.join(missing)} has no answer to it.")
            yield RawRow(number, row, self.name, error)


def _column(part: _Part, column: str, note: Notes) -> dict[str | int, object]:
    """Key -> value of a column; a key's first row counts."""
    found: dict[str | int, object] = {}
    for count, raw in enumerate(read_file(part.path, note), 1):
        note.report(count, f"Joining {part.path.name}")
        key = raw.data.get(part.key)
        if raw.error is None and isinstance(key, str | int):
            found.setdefault(key, raw.data.get(column))
    return found


def find_join(name: str, files: tuple[Path, ...]) -> Joined | None:
    """How files join, or None where they are to be read one after the other."""
    if not 2 <= len(files) <= MAX_FILES or any(data_suffix(path) in DOCUMENTS for path in files):
        return None
    try:
        heads = [_head(path) for path in files]
    except DataError:
        return None  # reading them in turn says what is wrong with one
    key = _shared_key(heads)
    if key is None:
        return None
    parts = tuple(_part(path, key, head) for path, head in zip(files, heads, strict=True))
    answered = sum(part.answer is not None for part in parts)
    if answered < 2 or not any(part.prompt for part in parts):
        return None
    if len({tuple(head.columns) for head in heads}) == 1 and not _same_prompts(parts, heads):
        return None
    used = tuple(part for part in parts if part.answer or part.prompt)
    return Joined(name, used)


def _head(path: Path) -> Profile:
    rows = itertools.islice(read_file(path), PROFILE_ROWS)
    return profile([raw.data for raw in rows if raw.error is None], keep=PROFILE_ROWS)


def _values(head: Profile, column: str) -> list[object]:
    return [row.get(column) for row in head.sample]


def _shared_key(heads: list[Profile]) -> str | None:
    """A column of all files whose values are distinct in each and mostly shared; ids first."""
    common = [name for name in heads[0].columns if all(name in head.columns for head in heads)]
    ids = [
        name for name in common if column_names.key(name).split("_")[-1] in ("id", "idx", "index")
    ]
    prompts = [name for name in common if column_names.key(name) in column_names.PROMPT]
    for name in [*ids, *prompts]:
        values = [_values(head, name) for head in heads]
        if any(not all(isinstance(v, str | int) for v in column) for column in values):
            continue
        sets = [set(column) for column in values]
        distinct = all(
            len(found) >= 0.95 * len(column) for found, column in zip(sets, values, strict=True)
        )
        least = min(len(found) for found in sets)
        if distinct and least > 1 and len(set.intersection(*sets)) >= 0.8 * least:
            return name
    return None


def _part(path: Path, key: str, head: Profile) -> _Part:
    answer = head.find(column_names.COMPLETION[:-1], "string", without=[key])
    asked = [] if column_names.key(key) in column_names.PROMPT else [key]
    prompt = head.find(
        column_names.PROMPT[:13], "string", without=[*asked, *([answer] if answer else [])]
    )
    text = head.find(column_names.TEXT, "string", without=[key])
    marks = {column.key for column in head.columns.values()}
    if answer is None and prompt is None and text:
        if marks & _ANSWERING and "review_id" not in marks:
            answer = text
        elif not marks & (_ANSWERING | {"review_id"}):
            prompt = text
    return _Part(path, key, prompt, answer)


def _same_prompts(parts: tuple[_Part, ...], heads: list[Profile]) -> bool:
    """Whether a key means the same prompt in every file."""
    tables = [
        dict(zip(_values(head, part.key), _values(head, part.prompt or part.key), strict=True))
        for part, head in zip(parts, heads, strict=True)
    ]
    shared = set.intersection(*(set(table) for table in tables))
    same = sum(len({table[key] for table in tables}) == 1 for key in shared)
    return same >= 0.9 * len(shared)
