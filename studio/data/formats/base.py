"""What a family of formats is: how it is recognized and how one row of it becomes a TRL row."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from studio.data.formats.column_profile import Profile
from studio.data.types import Row

Mapping = dict[str, str]


@dataclass(frozen=True)
class Match:
    """A family's claim on some rows: `mapping` is the family's field -> the file's column."""

    format: str
    confidence: float
    why: str
    mapping: Mapping


@dataclass(frozen=True)
class Family:
    """One family: `fields` (field -> help; a person maps columns to these), `required` among them.

    `convert(row, mapping)` returns a TRL row or raises `RowError`; it never changes a text.
    """

    name: str
    type: str
    title: str
    fields: dict[str, str]
    required: tuple[str, ...]
    recognise: Callable[[Profile], Match | None]
    convert: Callable[[Row, Mapping], Row]
    aliases: tuple[str, ...] = ()


def mapped(**columns: str | None) -> Mapping:
    """A mapping without the fields that were not found."""
    return {field: column for field, column in columns.items() if column is not None}


def listed(columns: Iterable[str]) -> str:
    """`"a", "b" and "c"`: columns, for a sentence."""
    shown = [f'"{column}"' for column in columns]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
