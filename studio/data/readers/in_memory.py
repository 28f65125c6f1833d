"""Rows that are already TRL's, brought by a program (labels, pairs) rather than by a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from studio.core.errors import DataError, did_you_mean
from studio.data import turn_training
from studio.data.formats.chat_turns import tool_calls
from studio.data.formats.column_names import ROLES
from studio.data.formats.detection import Format
from studio.data.types import TYPES, Notes, RawRow, Row, RowError

_REQUIRED = {
    "language_modeling": ("text",),
    "prompt_completion": ("prompt", "completion"),
    "conversational": ("messages",),
    "prompt_only": ("prompt",),
    "preference": ("prompt", "chosen", "rejected"),
    "unpaired_preference": ("prompt", "completion", "label"),
    "comparison": ("prompt", "answer1", "answer2"),
    "embedding_pairs": ("anchor", "positive"),
    "scored_pairs": ("sentence1", "sentence2", "score"),
}


@dataclass(frozen=True)
class GivenRows:
    """A source made of rows in memory; looks like a `Located` to the pipeline."""

    name: str
    given: Iterable[Row]

    def rows(self, note: Notes) -> Iterator[RawRow]:
        """The rows, numbered from 1."""
        for number, row in enumerate(self.given, 1):
            yield RawRow(number, row, self.name)


def given_format(type: str) -> Format:
    """The format of rows that already are of TRL's `type`; only their fields are checked."""
    if type not in TYPES:
        raise DataError(
            f'There is no dataset type "{type}".{did_you_mean(type, TYPES)} Types: '
            f"{', '.join(TYPES)}."
        )

    def convert(row: Row, _: dict[str, str]) -> Row:
        for field in _REQUIRED[type]:
            value = row.get(field)
            if value is None:
                raise RowError("missing_field", f'"{field}" is missing.', field)
            if field == "label" and not isinstance(value, bool):
                raise RowError("wrong_type", '"label" is not true or false.', field)
            if field == "score" and not _is_number(value):
                raise RowError("wrong_type", '"score" is not a number.', field)
            if field not in ("label", "score") and not _is_text(value):
                raise RowError(
                    "wrong_type", f'"{field}" is neither text nor a list of turns.', field
                )
            if isinstance(value, list):
                _check_turns(value, field)
        return dict(row)

    return Format("rows", type, 1.0, f"Rows given as {type}.", {}, convert)


def _check_turns(turns: list[Row], field: str) -> None:
    """Raise `RowError` for a turn whose role, text, calls or training no trainer could read."""
    for at, turn in enumerate(turns, 1):
        where = f"Turn {at} of {field!r}"
        if turn["role"] not in ROLES.values():
            raise RowError(
                "unknown_role",
                f'{where} has the role "{str(turn["role"])[:40]}"; known are user, assistant, '
                "system, tool.",
                field,
            )
        if not isinstance(turn["content"], str | None):
            raise RowError("wrong_type", f"{where} has a content that is no text.", field)
        calls = turn.get("tool_calls")
        if calls and tool_calls(calls) is None:
            raise RowError("wrong_type", f"{where} has tool calls without a function name.", field)
        turn_training.read(turn, where, field)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_text(value: object) -> bool:
    if isinstance(value, str):
        return True
    return isinstance(value, list) and all(
        isinstance(turn, dict) and isinstance(turn.get("role"), str) and "content" in turn
        for turn in value
    )
