"""Which family the rows belong to: a rule over many rows, which a person may overrule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from studio.core.errors import DataError, did_you_mean
from studio.data.formats import FAMILIES, Family, Match, left_out
from studio.data.formats.base import ASKED, SETTINGS
from studio.data.formats.column_profile import Profile, flattened
from studio.data.formats.column_profile import profile as _profile_of
from studio.data.types import Row, RowError

_CONFIDENT = 0.5
MOST = 0.83
"""The most that is claimed of files that nobody has told about: how often recognition was right at
first sight on files it was not made for (`python -m benchmarks.recognition`)."""
_DEEPEST = 3
"""Levels of objects in which columns are looked for."""
_WEAK = ("prompt_only", "language_modeling")
"""Types that read rows by leaving their answers out."""
_FAIR = ("tie", "not_judged", "empty_field", "prompt_differs", "too_few_answers")
"""Faults of a row that say nothing against its format."""
_BY_NAME = {name: family for family in FAMILIES for name in (family.name, *family.aliases)}


@dataclass(frozen=True)
class Format:
    """A decision: the family, under the name it was recognized by, with its mapping and reasons.

    `others`: readings that fit as well; where there are any, a person has to choose.
    """

    name: str
    type: str
    confidence: float
    why: str
    mapping: dict[str, str]
    convert: Callable[[Row, dict[str, str]], Row]
    opened: int = 0
    others: tuple[Format, ...] = ()

    def row(self, data: Row) -> Row:
        """One row in TRL's form; raises `RowError`. `opened`: how many levels of objects
        are opened."""
        return self.convert(flattened(data, self.opened) if self.opened else data, self.mapping)


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
    settings = {field: said for field, said in (mapping or {}).items() if field in SETTINGS}
    columns = {field: said for field, said in (mapping or {}).items() if field not in SETTINGS}
    profile = replace(profile, told=settings)
    if columns or format:
        _check_columns(columns, profile, name)
        found = _by_person(profile, format, {**columns, **settings})
        return found if settings else _completed(found, profile)
    found = _detected(profile, name)
    known = known_formats().get(found.name) or _BY_NAME[found.name].fields
    for field in settings:
        if field not in known:
            raise DataError(
                f"{name} reads as {found.name}, for which {field} says nothing. Name the format "
                "and the columns too, or leave it out."
            )
    if not settings:
        return found
    return replace(found, mapping={**found.mapping, **settings}, others=())


def _detected(profile: Profile, name: str) -> Format:
    best = _best(profile)
    if best is None or best.confidence < _CONFIDENT or _guessed(best):
        before = profile.sample
        for levels in range(1, _DEEPEST + 1):
            flat = [flattened(row, levels) for row in profile.sample]
            if all(row.keys() == flat[at].keys() for at, row in enumerate(before)):
                break  # nothing more to open
            before, opened = flat, replace(_profile_of(flat), told=profile.told)
            inside = _best(opened)
            if inside and inside.confidence > max(_CONFIDENT, best.confidence if best else 0.0):
                others = tuple(replace(other, opened=levels) for other in inside.others)
                return _naming_the_rest(replace(inside, opened=levels, others=others), opened)
    if best is None:
        columns = ", ".join(f'"{column}"' for column in list(profile.columns)[:12]) or "none"
        raise DataError(
            f"{name} holds no text to train on: its columns are {columns}. "
            "Map the columns by hand, or check that this is the right file."
        )
    return _naming_the_rest(best, profile)


def _guessed(best: Format) -> bool:
    """Whether a person is asked because no column's name tells anything."""
    return any(one.type == "language_modeling" for one in best.others)


def _naming_the_rest(found: Format, profile: Profile) -> Format:
    """The reason with the columns that the format leaves out; less sure where ratings are."""
    used = set(found.mapping.values())
    told, most = left_out.sentences(profile, used, found.type, found.why)
    return replace(found, why=found.why + told, confidence=min(found.confidence, most, MOST))


def _best(profile: Profile) -> Format | None:
    """The first confident claim that reads the rows; else the best of the others.

    A family that fits by its columns but reads few rows is kept, with what is wrong with its rows,
    before one that would drop their answers.
    """
    made: list[Format] = []
    unreadable: Format | None = None
    for family in FAMILIES:
        match = family.recognise(profile)
        if match is None:
            continue
        found = _made(family, match)
        sure = found.confidence
        found = replace(found, confidence=sure * _readable(found, profile.sample))
        if found.confidence >= _CONFIDENT:
            if unreadable and found.type in _WEAK:
                return unreadable
            return _beside_few_answers(found, made)
        if sure >= 0.7 and family.type not in _WEAK:
            unreadable = unreadable or found
        made.append(found)
    best = max(made, key=lambda found: found.confidence, default=None)
    return unreadable if unreadable and best and best.type in _WEAK else best


def _beside_few_answers(found: Format, before: list[Format]) -> Format:
    """Prompts, and the reading of the few rows that have an answer beside them: asked."""
    few = [one for one in before if one.convert is _BY_NAME["instruction"].convert]
    if found.type != "prompt_only" or not few:
        return found
    answers = f'Only the rows with an answer in "{few[0].mapping["completion"]}" are kept.'
    other = replace(few[0], why=f"{few[0].why} {answers}", confidence=ASKED)
    return replace(found, confidence=ASKED, others=(other,))


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
    family = family if match.format in _names(family) else _BY_NAME[match.format]
    confidence = max(0.0, min(1.0, match.confidence))
    others = tuple(
        _made(family if other.format in _names(family) else _BY_NAME[other.format], other)
        for other in match.others
    )
    convert = family.convert
    return Format(
        match.format, family.type, confidence, match.why, match.mapping, convert, others=others
    )


def _names(family: Family) -> tuple[str, ...]:
    return (family.name, *family.aliases)


def _completed(found: Format, profile: Profile) -> Format:
    """A choice by hand with what it leaves open: read in the one way that fits, or asked."""
    family = _BY_NAME.get(found.name)
    if family is None or family.readings is None:
        return found
    several = family.readings(profile, found.mapping)
    if not several:
        return found
    first, *others = [replace(found, mapping=match.mapping, why=match.why) for match in several]
    return replace(first, others=tuple(others), confidence=ASKED if others else found.confidence)


def _by_person(profile: Profile, format: str | None, mapping: dict[str, str]) -> Format:
    if format is None:
        family = _family_for(mapping)
        return _made(family, _by_hand(family, family.name, mapping))
    family = _BY_NAME.get(format)
    if family is None:
        known = ", ".join(sorted(_BY_NAME))
        raise DataError(
            f'There is no format "{format}".{did_you_mean(format, _BY_NAME)} Known are {known}.'
        )
    found = family.recognise(profile)
    if found is not None and found.format not in _names(family):
        found = next((other for other in found.others if other.format in _names(family)), None)
    columns = {**(found.mapping if found else {}), **mapping}
    missing = [field for field in family.required if field not in columns]
    if missing and not (family.name == "kto" and "messages" in columns):
        needed = ", ".join(f'"{field}" ({family.fields[field]})' for field in missing)
        raise DataError(f"To read the rows as {format}, say which column is {needed}.")
    if mapping or found is None:
        if "better" in mapping and "better_first" not in mapping:
            columns.pop("better_first", None)
        return _made(family, _by_hand(family, format, columns))
    chosen = Match(format, found.confidence, f"Chosen by hand. {found.why}", columns)
    same = tuple(other for other in found.others if other.format in _names(family))
    return _made(family, replace(chosen, others=same))


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
        if column not in profile.columns:
            known = ", ".join(f'"{c}"' for c in list(profile.columns)[:20])
            raise DataError(
                f'{name} has no column "{column}" for {field}.'
                f"{did_you_mean(column, profile.columns)} It has {known}."
            )
