"""What a family of formats is: how it is recognized and how one row of it becomes a TRL row."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from studio.data.formats.column_profile import Profile
from studio.data.types import Row

Mapping = dict[str, str]


SETTINGS = frozenset(
    {"better_first", "right_first", "rejected_one", "take", "assistant", "rank_form"}
)
"""Fields of a mapping that hold a choice, not a column's name."""

ASKED = 0.5
"""Confidence of a claim beside which another reading fits as well: a person is asked."""


@dataclass(frozen=True)
class Match:
    """A family's claim on some rows: `mapping` is the family's field -> the file's column.

    `others`: readings that fit as well, of this family or another; then a person is asked.
    """

    format: str
    confidence: float
    why: str
    mapping: Mapping
    others: tuple[Match, ...] = ()


@dataclass(frozen=True)
class Family:
    """One family: `fields` (field -> help; a person maps columns to these), `required` among them.

    `convert(row, mapping)` returns a TRL row or raises `RowError`; it never changes a text.
    `readings(profile, mapping)`: every way to read rows whose columns a person has mapped, where
    the mapping leaves several open.
    """

    name: str
    type: str
    title: str
    fields: dict[str, str]
    required: tuple[str, ...]
    recognise: Callable[[Profile], Match | None]
    convert: Callable[[Row, Mapping], Row]
    aliases: tuple[str, ...] = ()
    readings: Callable[[Profile, Mapping], list[Match]] | None = None


def mapped(**columns: str | None) -> Mapping:
    """A mapping without the fields that were not found."""
    return {field: column for field, column in columns.items() if column is not None}


def asked(readings: Iterable[Match]) -> Match | None:
    """The first of several readings with the others beside it; a single one as it is."""
    first, *others = [*readings] or [None]
    if first is None or not others:
        return first
    return replace(
        first,
        confidence=min(first.confidence, ASKED),
        others=tuple(one for one in others if one is not None),
    )


def listed(columns: Iterable[str]) -> str:
    """`"a", "b" and "c"`: columns, for a sentence."""
    shown = [f'"{column}"' for column in columns]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
