"""Columns with few values (a category, a label), which rows can be balanced by."""

from __future__ import annotations

from array import array
from collections.abc import Hashable

import numpy as np

from studio.data.formats.column_profile import Profile
from studio.data.types import Row

MAX_GROUPS = 200
"""More values than this make a column a text or an id, not a grouping."""
_MAX_COLUMNS = 8


class Groups:
    """The value of every likely grouping column, two bytes a row."""

    def __init__(self, profile: Profile) -> None:
        self._known: dict[str, dict[Hashable, int]] = {}
        self._codes: dict[str, array] = {}
        for column in profile.columns.values():
            few = 2 <= len(column.distinct) < min(20, max(3, column.filled))
            short = column.mean_characters <= 60
            if few and short and column.is_("string", "number", "bool"):
                self._known[column.name] = {}
                self._codes[column.name] = array("H")
        for name in list(self._known)[_MAX_COLUMNS:]:
            self._drop(name)

    def _drop(self, name: str) -> None:
        del self._known[name], self._codes[name]

    def see(self, row: Row) -> None:
        """The next row."""
        for name in tuple(self._known):
            value = row.get(name)
            known = self._known[name]
            if isinstance(value, list | dict) or len(known) > MAX_GROUPS:
                self._drop(name)
            else:
                self._codes[name].append(known.setdefault(value, len(known)))

    def columns(self) -> dict[str, int]:
        """Columns one can balance by -> how many groups each makes."""
        return {name: len(known) for name, known in self._known.items() if len(known) > 1}

    def codes(self, name: str) -> np.ndarray:
        """Each row's group, as a number."""
        return np.array(self._codes[name], np.uint16)

    def values(self, name: str) -> list[object]:
        """The groups' values, by their numbers."""
        return list(self._known[name])
