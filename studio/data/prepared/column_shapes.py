"""What stands in each column: lengths of texts, numbers, or categories."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np

from studio.data.types import Row

MOST_ROWS = 5000
"""Rows that are looked at; of more, as many at even distances."""
_CATEGORIES, _LONGEST = 12, 40  # distinct values, and characters of one, up to which they are named
_OFTEN = 5  # rows per distinct value, at least, for texts to be categories


@dataclass(frozen=True)
class ColumnShape:
    """One column: a number per row (`values`, in `unit`), or rows per category (`counts`).

    `empty` rows have nothing in it. Texts are measured in characters, chats in those of all their
    turns, other lists in items.
    """

    name: str
    kind: Literal["length", "number", "category"]
    unit: str
    values: np.ndarray
    counts: tuple[tuple[str, int], ...] = ()
    empty: int = 0


def column_shapes(rows: Sequence[Row]) -> tuple[list[ColumnShape], int]:
    """The shape of each column, in the order of the columns, and how many rows were looked at."""
    count = min(len(rows), MOST_ROWS)
    places = np.linspace(0, max(0, len(rows) - 1), count).astype(int).tolist()
    columns: dict[str, list[Any]] = {}
    for place in places:
        for name, value in rows[place].items():
            columns.setdefault(name, []).append(value)
    shapes = (_shape(name, values, count) for name, values in columns.items())
    return [shape for shape in shapes if shape is not None], count


def _shape(name: str, values: list[Any], rows: int) -> ColumnShape | None:
    """The shape of a column's values; None where they are of no kind that can be drawn."""
    there = [value for value in values if value is not None and value not in ("", [], {})]
    empty = rows - len(there)
    if not there:
        return None
    categories = _categories(there)
    if categories:
        return ColumnShape(name, "category", "", np.zeros(0), categories, empty)
    if all(isinstance(value, int | float) for value in there):
        numbers = np.array(there, float)
        return ColumnShape(name, "number", "", numbers[np.isfinite(numbers)], (), empty)
    if all(isinstance(value, str) for value in there):
        lengths = np.array([len(text) for text in there])
        return ColumnShape(name, "length", "characters", lengths, (), empty)
    if all(isinstance(value, list) for value in there):
        chats = all(_is_turn(value[0]) for value in there)
        sizes = np.array([sum(map(_characters, value)) if chats else len(value) for value in there])
        return ColumnShape(name, "length", "characters" if chats else "items", sizes, (), empty)
    return None


def _categories(there: list[Any]) -> tuple[tuple[str, int], ...]:
    """(category, rows): flags, short texts and whole numbers of which there are few; else none.

    Whole numbers stand in their order, others by how often they come.
    """
    if not all(isinstance(value, str | int) for value in there):
        return ()
    if any(isinstance(value, str) and len(value) > _LONGEST for value in there):
        return ()
    found = Counter(there)
    flags = all(isinstance(value, bool) for value in there)
    if len(found) > _CATEGORIES or (len(there) < _OFTEN * len(found) and not flags):
        return ()
    if all(isinstance(value, int) for value in there):
        return tuple((str(value), found[value]) for value in sorted(found))
    return tuple((str(value), rows) for value, rows in found.most_common())


def _is_turn(value: object) -> bool:
    return isinstance(value, Mapping) and "content" in value


def _characters(turn: object) -> int:
    said = cast("Mapping[str, Any]", turn).get("content") if _is_turn(turn) else ""
    return len(said) if isinstance(said, str) else 0
