"""What the columns of many rows hold: the evidence that the detector judges by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from studio.data.formats import column_names
from studio.data.formats.chat_turns import shape_of
from studio.data.types import Row

PROFILE_ROWS = 256
"""Rows looked at before a format is decided."""

SAMPLED = 40
"""Rows on which a decision is tried out."""

_SYSTEM_SHAPES = ("string", "object", "objects", "turn", "turns", "strings")
_OTHER_PART = {"input", "test", "tests", "stdin"}
"""Words before an output's name that make it a part of a test, not an answer."""
_ENDINGS = ("text", "str", "string", "content", "body")
"""Last words of a column's name that say no more than that it holds text."""


def flattened(row: Row, levels: int = 1) -> Row:
    """The row with objects opened: `{"info": {"post": ...}}` has `info.post`."""
    flat: Row = {}
    for name, value in row.items():
        if isinstance(value, dict) and shape_of(value) == "object":
            flat.update({f"{name}.{inner}": held for inner, held in value.items()})
        else:
            flat[name] = value
    return flat if levels <= 1 else flattened(flat, levels - 1)


def _ends_in(word: str, parts: list[str]) -> bool:
    """Whether a name of several words ends in one, perhaps with `_text` after it."""
    last = 2 if len(parts) > 2 and parts[-1] in _ENDINGS and parts[-1] != word else 1
    return len(parts) > 1 and parts[-last] == word and not _OTHER_PART & {*parts[:-last]}


def _remark(words: list[str]) -> bool:
    return bool(set(words) & column_names.NOT_TEXT)


@dataclass
class Column:
    """How often a column holds what: shares are of the rows in which it is filled."""

    name: str
    key: str
    filled: int = 0
    shapes: dict[str, int] = field(default_factory=dict)
    characters: int = 0
    distinct: set[str] = field(default_factory=set)
    values: list[Any] = field(default_factory=list)

    def share(self, *shapes: str) -> float:
        """Share of the filled rows whose value has one of these shapes."""
        return (
            sum(self.shapes.get(shape, 0) for shape in shapes) / self.filled if self.filled else 0.0
        )

    def is_(self, *shapes: str) -> bool:
        """One of these shapes at least half the time."""
        return self.share(*shapes) >= 0.5

    @property
    def mean_characters(self) -> float:
        return self.characters / max(1, self.filled)


@dataclass
class Profile:
    """Columns in order of appearance, over `rows` rows."""

    rows: int
    columns: dict[str, Column]
    sample: list[Row] = field(default_factory=list)
    told: dict[str, str] = field(default_factory=dict)
    """What a person has said that no column's name says: field -> setting."""

    def find(
        self, vocabulary: Sequence[str], *shapes: str, without: Iterable[str] = ()
    ) -> str | None:
        """The column whose name is nearest the front of `vocabulary` and whose values fit.

        Whole names first; then names with an ending such as `_text`; then names that end in such a
        word (`toy_input`); then headings of several words that begin with one.
        """
        taken = set(without)
        fit = [c for c in self.columns.values() if c.name not in taken and c.is_(*shapes)]
        for word in vocabulary:
            for column in fit:
                if column.key == word:
                    return column.name
        for word in vocabulary:
            for column in fit:
                stem, _, last = column.key.rpartition("_")
                if stem == word and last in _ENDINGS:
                    return column.name
        for word in vocabulary:
            for column in fit:
                if _ends_in(word, column.key.split("_")):
                    return column.name
        for word in vocabulary:
            for column in fit:
                words = column.key.split("_")
                if words[0] == word and " " in column.name.strip() and not _remark(words):
                    return column.name
        return None

    def tools(self) -> str | None:
        """The column of tools, whatever its values look like."""
        return next((c.name for c in self.columns.values() if c.key in column_names.TOOLS), None)

    def system(self, without: Iterable[str] = ()) -> str | None:
        """The column of the system prompt: text, parts of text, or a turn."""
        return self.find(column_names.SYSTEM, *_SYSTEM_SHAPES, without=without)

    def coverage(self, *columns: str | None) -> float:
        """Share of rows in which the least filled of these columns is filled."""
        counts = [self.columns[name].filled for name in columns if name]
        return min(counts) / max(1, self.rows) if counts else 0.0


def profile(rows: Iterable[Row], keep: int = SAMPLED) -> Profile:
    """Look at rows (already read) column by column; the first `keep` stay at hand."""
    columns: dict[str, Column] = {}
    count = 0
    sample: list[Row] = []
    for row in rows:
        count += 1
        if len(sample) < keep:
            sample.append(row)
        for name, value in row.items():
            column = columns.get(name)
            if column is None:
                column = columns[name] = Column(name, column_names.key(name))
            if value is None or value == "" or value == []:
                continue
            column.filled += 1
            shape = shape_of(value)
            column.shapes[shape] = column.shapes.get(shape, 0) + 1
            if isinstance(value, str):
                column.characters += len(value)
            if len(column.distinct) < 20 and isinstance(value, str | int | float | bool):
                column.distinct.add(str(value))
            if len(column.values) < 40:
                column.values.append(value)
    return Profile(count, columns, sample)
