"""Rows that can be read in several ways: each way shown on a row, and no way taken unasked."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from studio.core.errors import DataError
from studio.data.formats.base import SETTINGS
from studio.data.formats.detection import Format
from studio.data.types import JsonObject, Row, RowError

if TYPE_CHECKING:
    from studio.data.prepared.row_stream import Stream


def readings(stream: Stream) -> list[JsonObject]:
    """Every reading of a stream's rows, the first being the one shown; empty where one fits.

    Each is `{"format", "type", "mapping", "why", "raw", "row", "flags"}`: a row of the file on
    which they differ, what it becomes (`{"left_out": reason}` where it is set aside), and the flags
    that choose the reading in the shell.
    """
    several = [stream.format, *stream.format.others]
    if len(several) < 2:
        return []
    raw = _telling_row(stream.profile.sample, several)
    return [
        {
            "format": one.name,
            "type": one.type,
            "mapping": dict(one.mapping),
            "why": one.why,
            "raw": raw,
            "row": _made(one, raw),
            "flags": flags(one, several),
        }
        for one in several
    ]


def question(stream: Stream) -> str | None:
    """The question to a person, or None where one reading fits."""
    count = 1 + len(stream.format.others)
    if count < 2:
        return None
    return f"{stream.located.name} can be read in {_COUNTS.get(count, count)} ways. Which is right?"


_COUNTS = {2: "two", 3: "three", 4: "four"}


def refuse_open(stream: Stream) -> None:
    """Raise `DataError` with the flags to choose from, where several readings fit."""
    several = [stream.format, *stream.format.others]
    if len(several) < 2:
        return
    ways = [f"{shlex.join(flags(one, several))} ({one.why.rstrip('.')})" for one in several]
    raise DataError(f"{question(stream)} Nothing was prepared. Add {', or '.join(ways)}.")


def flags(one: Format, several: list[Format]) -> list[str]:
    """What to add to a command so that the rows are read as `one`."""
    columns = {tuple(_columns(other).items()) for other in several}
    if len(columns) == 1 and len({other.name for other in several}) == 1:
        chosen = [(name, said) for name, said in one.mapping.items() if name in SETTINGS]
        told = [pair for pair in chosen if any(o.mapping.get(pair[0]) != pair[1] for o in several)]
        return [flag for name, said in told for flag in _setting(name, said)]
    named = ["--format", one.name]
    named += [f for name, said in _columns(one).items() for f in ("--map", f"{name}={said}")]
    kept = [(name, said) for name, said in one.mapping.items() if name in SETTINGS]
    return named + [flag for name, said in kept for flag in _setting(name, said)]


def _columns(one: Format) -> dict[str, str]:
    return {name: said for name, said in one.mapping.items() if name not in SETTINGS}


def _setting(name: str, said: str) -> list[str]:
    if name == "better_first" and "=" in said:
        return [flag for part in said.split(",") for flag in ("--verdicts", part)]
    return ["--map", f"{name}={said}"]


def _telling_row(sample: list[Row], several: list[Format]) -> Row:
    """A row that the readings make different rows of; one that none leaves out, if there is."""
    best, most = sample[0] if sample else {}, -1
    for raw in sample:
        made = [_made(one, raw) for one in several]
        kept = sum("left_out" not in row for row in made)
        different = sum(row != made[0] for row in made)
        score = 10 * min(1, different) + kept
        if score > most:
            best, most = raw, score
    return best


def _made(one: Format, raw: Row) -> Row:
    try:
        made = one.row(raw)
        several = raw.get(one.mapping.get("completion", ""))
        if one.mapping.get("take") == "each" and isinstance(several, list):
            column = one.mapping["completion"]
            del made["completion"]
            for at, answer in enumerate(several, 1):
                made[f"completion of row {at}"] = one.row({**raw, column: answer})["completion"]
        return made
    except RowError as error:
        return {"left_out": error.message}
