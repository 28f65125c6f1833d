"""Which family the rows belong to: a rule over many rows, which a person may overrule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from studio.core.errors import DataError, did_you_mean
from studio.data.formats import FAMILIES, Family, Match
from studio.data.formats.column_profile import Profile, flattened
from studio.data.formats.column_profile import profile as _profile_of
from studio.data.types import Row, RowError

_CONFIDENT = 0.5
_FAIR = ("tie", "not_judged", "empty_field", "prompt_differs", "too_few_answers")
"""Faults of a row that say nothing against its format."""
_BY_NAME = {name: family for family in FAMILIES for name in (family.name, *family.aliases)}


@dataclass(frozen=True)
class Format:
    """A decision: the family, under the name it was recognized by, with its mapping and reasons."""

    name: str
    type: str
    confidence: float
    why: str
    mapping: dict[str, str]
    convert: Callable[[Row, dict[str, str]], Row]
    opened: bool = False

    def row(self, data: Row) -> Row:
        """One row in TRL's form; raises `RowError`. `opened`: objects are opened one level."""
        return self.convert(flattened(data) if self.opened else data, self.mapping)


def known_formats() -> dict[str, dict[str, str]]:
    """Every format's name -> its fields and what they mean, for a person who maps columns by
    hand."""
    return {family.name: dict(family.fields) for family in FAMILIES}


def detect(
    profile: Profile,
    *,
    format: str | None = None,
    mapping: dict[str, str] | None = None,
    name: str = "The source",
) -> Format:
    """Recognise the rows of `profile`.

    `format` and `mapping` (field -> column) overrule the detector, alone or together. Raises
    `DataError` where nothing fits or a name is unknown.
    """
    if mapping:
        _check_columns(mapping, profile, name)
    if format:
        return _asked_for(profile, format, mapping)
    if mapping:
        family = _family_for(mapping)
        return _made(family, _by_hand(family, family.name, mapping))
    best = _best(profile)
    if best is None or best.confidence < _CONFIDENT:
        flat = [flattened(row) for row in profile.sample]
        if any(row.keys() != flat[at].keys() for at, row in enumerate(profile.sample)):
            inside = _best(_profile_of(flat))
            if inside and inside.confidence > max(_CONFIDENT, best.confidence if best else 0.0):
                return replace(inside, opened=True)
    if best is None:
        columns = ", ".join(f'"{column}"' for column in list(profile.columns)[:12]) or "none"
        raise DataError(
            f"{name} holds no text to train on: its columns are {columns}. "
            "Map the columns by hand, or check that this is the right file."
        )
    return best


def _best(profile: Profile) -> Format | None:
    """The first confident claim that reads the rows; else the best of the others."""
    made = []
    for family in FAMILIES:
        match = family.recognise(profile)
        if match is None:
            continue
        found = _made(family, match)
        found = replace(found, confidence=found.confidence * _readable(found, profile.sample))
        if found.confidence >= _CONFIDENT:
            return found
        made.append(found)
    return max(made, key=lambda found: found.confidence, default=None)


def _readable(format: Format, rows: list[Row]) -> float:
    """Share of rows that a format reads; 1 from every other row on."""
    read = 0
    for row in rows:
        try:
            format.row(row)
            read += 1
        except RowError as error:
            read += error.kind in _FAIR
    share = read / max(1, len(rows))
    return 1.0 if share >= 0.5 else share


def _made(family: Family, match: Match) -> Format:
    confidence = max(0.0, min(1.0, match.confidence))
    return Format(match.format, family.type, confidence, match.why, match.mapping, family.convert)


def _asked_for(profile: Profile, format: str, mapping: dict[str, str] | None) -> Format:
    family = _BY_NAME.get(format)
    if family is None:
        known = ", ".join(sorted(_BY_NAME))
        raise DataError(
            f'There is no format "{format}".{did_you_mean(format, _BY_NAME)} Known are {known}.'
        )
    found = family.recognise(profile)
    columns = {**(found.mapping if found else {}), **(mapping or {})}
    missing = [field for field in family.required if field not in columns]
    if missing and not (family.name == "kto" and "messages" in columns):
        needed = ", ".join(f'"{field}" ({family.fields[field]})' for field in missing)
        raise DataError(f"To read the rows as {format}, say which column is {needed}.")
    if mapping or found is None:
        return _made(family, _by_hand(family, format, columns))
    return _made(family, Match(format, found.confidence, f"Chosen by hand. {found.why}", columns))


def _by_hand(family: Family, name: str, mapping: dict[str, str]) -> Match:
    for field in mapping:
        if field not in family.fields:
            known = ", ".join(family.fields)
            raise DataError(
                f'"{field}" is no field of {name}.{did_you_mean(field, family.fields)} Its '
                f"fields: {known}."
            )
    shown = ", ".join(f'{field} from "{column}"' for field, column in mapping.items())
    return Match(name, 1.0, f"Mapped by hand: {shown}.", dict(mapping))


def _family_for(mapping: dict[str, str]) -> Family:
    preferred = [_BY_NAME["instruction"], *FAMILIES]
    for family in preferred:
        if set(mapping) <= set(family.fields) and set(family.required) <= set(mapping):
            return family
    fields = sorted({field for family in FAMILIES for field in family.fields})
    raise DataError(
        f"The mapped fields ({', '.join(mapping)}) make no format together. "
        "Map for example prompt and completion, or chosen and rejected. Fields: "
        f"{', '.join(fields[:20])}."
    )


def _check_columns(mapping: dict[str, str], profile: Profile, name: str) -> None:
    for field, column in mapping.items():
        if field != "better_first" and column not in profile.columns:
            known = ", ".join(f'"{c}"' for c in list(profile.columns)[:20])
            raise DataError(
                f'{name} has no column "{column}" for {field}.'
                f"{did_you_mean(column, profile.columns)} It has {known}."
            )
