"""What a verdict on several answers says: words, model names, and codes that count in many ways.

Words name an answer by its column, its letter, its side or its model. Numbers are read only where
one way to count them fits; where several do (0, 1 and 2 may be tie, first, second or first, second,
tie), `ways` returns each, so that a person is asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from studio.data.formats import column_names
from studio.data.types import RowError

_TIES = {
    *("tie", "tied", "ties", "both", "neither", "equal", "equally", "same", "draw", "none"),
    *("tie bothbad", "bothbad", "both bad", "both good", "tie both bad", "tie bothgood"),
    *("no preference", "no difference", "similar", "about the same", "equally good"),
    *("equally bad", "tie or unclear", "a b", "both are equal", "both equal"),
}
_UNDECIDED = {
    *("skip", "skipped", "ignore", "ignored", "unsure", "not sure", "unknown", "unclear", "error"),
    *("cannot tell", "can t tell", "n a", "na", "nan", "null", "invalid", "discard", "flag"),
    *("flagged", "undecided", "cancelled", "canceled", "abstain", "pass", "no answer", "other"),
}
_SIDES = (("left", "first", "1st", "top"), ("right", "second", "2nd", "bottom"))
_NOUNS = ("answer", "response", "assistant", "model", "option", "chatbot", "completion", "output")
_FILLER = re.compile(
    r"\b(?:(?:is|are|the|was|clearly|slightly|strongly|significantly|much|far|somewhat|a bit|"
    r"a little|marginally|definitely|better|best|wins?|won|winner|winning|preferred|prefers?|"
    r"chosen|choose|chose|verdict|preference|side|one)\b)"
)
_PLACES = ("id", "index", "idx", "position")
"""Last words of columns whose numbers are places, not truths."""
_SCALE = re.compile(r"(-?)scale(\d+(?:\.\d+)?)")
_APART = re.compile(r"[\W_]+")
_COMPARED = re.compile(r"^(.+?)\s*(>+|<+|=+|≈|~|≻+|≺+)\s*(.+)$")
_OVER = re.compile(r"^(.+?)\s+(?:better than|is preferred over|over|beats|than)\s+(.+)$")


class Way(NamedTuple):
    """One way to read verdicts: the mapping's `better_first`, and what it says in words."""

    first: str
    words: str


def plain(value: object) -> str:
    """A verdict without case, brackets and punctuation: `[[A]]` is `a`."""
    return _APART.sub(" ", str(value).lower()).strip().removesuffix(" 0")


def number_of(value: object) -> float | None:
    """The number a verdict is, also where it is written as text."""
    if isinstance(value, bool):
        return None
    text = str(value).strip()
    try:
        number = float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        return None
    return number if abs(number) < 1e6 else None  # NaN is none either


def names(column: str, at: int) -> set[str]:
    """What a verdict may call an answer: its column, its suffix, its letter, its side."""
    named = column_names.numbered(column)
    suffix = named[1] if named else str(at + 1)
    letter = "abcdefghi"[at]
    marks = {suffix, letter}
    return {
        plain(column),
        plain(column.rsplit(".", 1)[-1]),
        *marks,
        *(f"{word} {mark}" for word in _NOUNS for mark in marks),
        *(f"{word}{mark}" for word in _NOUNS for mark in marks),
        *(_SIDES[at] if at < 2 else ()),
        *(f"{mark} {word}" for word in _NOUNS for mark in (_SIDES[at] if at < 2 else ())),
    }


def position(value: object, columns: Sequence[str], models: Sequence[object] = ()) -> int | None:
    """Which answer a verdict in words names; None for a tie.

    `models`: the models that gave the answers, as the row calls them. Raises `KeyError` for a word
    that names no answer and `LookupError` for one that says that nothing was decided.
    """
    text = str(value).strip().lower()
    at = _named(text, columns, models)
    if at is not None:
        return at
    for pattern in (_COMPARED, _OVER):
        if match := pattern.match(re.sub(r"[\[\]()]", "", text)):
            one = _named(match[1], columns, models)
            other = _named(match[match.lastindex or 2], columns, models)
            sign = match[2] if pattern is _COMPARED else ">"
            if one is None or other is None or one == other:
                break
            if sign[0] in ">≻":
                return one
            return other if sign[0] in "<≺" else None
    bare = plain(text)
    if bare in _TIES or (re.fullmatch(r"\[\[c\]\]", text) and len(columns) == 2):
        return None  # MT-Bench's judge writes [[C]] for a tie
    if bare in _UNDECIDED or not bare:
        raise LookupError(bare)
    raise KeyError(bare)


def _named(text: str, columns: Sequence[str], models: Sequence[object]) -> int | None:
    text = text.strip()
    by_model = [at for at, model in enumerate(models) if str(model).strip().lower() == text]
    if len(by_model) == 1:
        return by_model[0]
    for bare in (plain(text), plain(_FILLER.sub(" ", text))):
        for at, column in enumerate(columns):
            if bare in names(column, at):
                return at
    return None


def ways(
    values: Iterable[object], columns: Sequence[str], key: str = "", models: bool = False
) -> list[Way]:
    """Every way in which verdicts can be read; empty where none fits.

    `key`: the verdict column's name; `models`: whether model names beside the row may be meant.
    """
    written = [value for value in values if value is not None]
    seen = [value for value in written if str(value).strip().lower() not in ("", "nan")]
    numbers = [number_of(value) for value in seen]
    if not seen:
        return []
    if all(number is not None for number in numbers):
        found = {number for number in numbers if number is not None}
        if any(number != int(number) for number in found):
            return _between(found, columns, key) if len(columns) == 2 else []
        return _counted({int(number) for number in found}, columns, key)
    if all(isinstance(value, bool) or str(value).lower() in ("true", "false") for value in seen):
        return _truths(columns, key)
    return [Way("name", "")] if models or _mostly_named(seen, columns) else []


def _mostly_named(seen: list[object], columns: Sequence[str]) -> bool:
    """Most verdicts name an answer or call a tie; a word that is unknown is its row's problem."""
    known = named = 0
    for value in seen:
        try:
            named += position(value, columns) is not None
            known += 1
        except LookupError as error:
            known += not isinstance(error, KeyError)
    return named > 0 and known >= 0.5 * len(seen)


def _truths(columns: Sequence[str], key: str) -> list[Way]:
    """True or false, in a column that says of which answer (`a_wins`)."""
    own = _spoken_of(columns, key)
    if len(columns) != 2 or len(own) != 1:
        return []
    at = own[0]
    return [Way(f"true={at + 1},false={2 - at}", f": true names answer {at + 1}")]


def _spoken_of(columns: Sequence[str], key: str) -> list[int]:
    """The answers that a verdict column's name speaks of: the first one for `p_a_better`."""
    words = set(key.split("_"))
    return [at for at, column in enumerate(columns) if words & _marks(column, at)]


def _marks(column: str, at: int) -> set[str]:
    named = column_names.numbered(column)
    return {named[1] if named else str(at + 1), "abcdefghi"[at]}


def _counted(seen: set[int], columns: Sequence[str], key: str) -> list[Way]:
    count = len(columns)
    suffixes = {named[1] for column in columns if (named := column_names.numbered(column))}
    low, high = min(seen), max(seen)
    if low < 0:
        return _signed(seen, count, key)
    if count == 2 and high == 2 and low == 0:
        return [
            Way("0=tie,1=1,2=2", ": 0 is a tie, 1 the first, 2 the second"),
            Way("0=1,1=2,2=tie", ": 0 is the first, 1 the second, 2 a tie"),
        ]
    if count == 2 and high == 3 and low >= 1:
        return [
            Way("1=1,2=2,3=tie", ": 1 is the first, 2 the second, 3 a tie"),
            Way("1=1,2=tie,3=2", ": 1 is the first, 2 a tie, 3 the second"),
        ]
    if count == 2 and low >= 1 and 4 <= high <= 9:
        return [_scale(high)]
    if seen == {1} and not suffixes & {"0", "1"}:
        return [
            Way("1", ", counted from 1: every vote names the first"),
            Way("0", ", counted from 0: every vote names the second"),
        ]
    if seen == {1} and "0" not in suffixes and "1" in suffixes:
        return [Way("1", ", counted from 1")]
    if count == 2 and seen == {0, 1} and "0" not in suffixes and key.split("_")[-1] not in _PLACES:
        return [
            Way("0", ": 0 is the first, 1 the second"),
            Way("1=1,0=2", ": 1 says that the first is better, 0 the second"),
        ]
    if seen <= set(range(count)) and count not in seen:
        return [Way("0", ", counted from 0")]
    return [Way("1", ", counted from 1")] if seen <= set(range(count + 1)) else []


def _signed(seen: Iterable[float], count: int, key: str) -> list[Way]:
    if count != 2 or max(seen) <= 0:
        return []
    below = Way("sign", " (below 0 the first, above 0 the second)")
    if key in ("overall_preference", "preference_strength"):
        return [below]  # HelpSteer 2 and 3
    return [below, Way("-sign", " (above 0 the first, below 0 the second)")]


def _between(seen: set[float], columns: Sequence[str], key: str) -> list[Way]:
    """Numbers with fractions: margins, which have signs; AlpacaEval's weighted 1 to 2; chances
    between 0 and 1; means on a longer scale."""
    low, high = min(seen), max(seen)
    if low < 0:
        return _signed(seen, 2, key)
    if min(seen - {0.0}) >= 1 and 1 < high <= 2:
        words = ": 1 names the first, 2 the second, the nearer one counts, and 1.5 is a tie"
        return [Way("scale1.5", words)]
    if high <= 1:
        both = [
            Way("-scale0.5", ": towards 1 the first, towards 0 the second, 0.5 a tie"),
            Way("scale0.5", ": towards 0 the first, towards 1 the second, 0.5 a tie"),
        ]
        own = _spoken_of(columns, key)
        return [both[own[0]]] if len(own) == 1 else both
    if low >= 1 and 2 < high <= 9:
        return [_scale(int(high) if high > 3 else 3)]
    return []


def _scale(high: int) -> Way:
    """A Likert scale from 1 (the first is much better) to `high` or one more."""
    middle = high // 2 + 1
    return Way(
        f"scale{middle}",
        f", on a scale from 1 (the first is much better) up: below {middle} the first, above it "
        f"the second, {middle} a tie",
    )


def coded(value: object, first: str, columns: Sequence[str]) -> int | None:
    """Position of the answer that a verdict names under `first` (see `Way`); None for a tie.

    Raises `KeyError` where it names none, `LookupError` where nothing was decided.
    """
    number = number_of(value)
    if "=" in first:
        told = dict(part.split("=", 1) for part in first.split(","))
        known = {code.strip().lower(): said for code, said in told.items()}
        text = str(value).strip().lower()
        if number is not None and number == int(number):
            text = str(int(number)) if str(int(number)) in known else text
        if text not in known:
            raise KeyError(text)
        said = known[text].strip().lower()
        return int(said) - 1 if said.isdigit() else position(said, columns)
    if number is None or first == "name":
        return position(value, columns)
    if first in ("sign", "-sign"):
        return None if number == 0 else int((number > 0) == (first == "sign"))
    if match := _SCALE.fullmatch(first):
        middle = float(match[2])
        if middle == 1.5 and number == 0:
            return None  # AlpacaEval's other way to write a draw
        return None if number == middle else int((number > middle) != bool(match[1]))
    at = int(number) - int(first)
    return None if at == -1 else at


def turned(way: Way, seen: Iterable[object], columns: Sequence[str]) -> Way | None:
    """A way to read verdicts that name the worse of two answers: each verdict seen is a code for
    the other answer. None where no verdict can be turned round."""
    codes = {}
    for value in seen if len(columns) == 2 else ():
        try:
            at = coded(value, way.first, columns)
        except LookupError:
            continue
        text = str(value).strip().lower()
        if at in (None, 0, 1) and not set(text) & set(",="):
            number = number_of(value)
            text = str(int(number)) if number is not None and number == int(number) else text
            codes[text] = "tie" if at is None else str(2 - at)
    if not set(codes.values()) & {"1", "2"}:
        return None
    return Way(",".join(f"{code}={said}" for code, said in codes.items()), way.words)


def answer_named(
    value: object, first: str, columns: Sequence[str], column: str, models: Sequence[object] = ()
) -> int | None:
    """Position of the answer that a verdict names, None for a tie; `first`: see `Way`."""
    said: Callable[[], int | None]
    if models and first == "name":

        def said() -> int | None:
            return position(value, columns, models)
    else:

        def said() -> int | None:
            return coded(value, first, columns)

    shown = str(value)[:30]
    try:
        at = said()
    except KeyError:
        raise RowError(
            "wrong_type", f'"{column}" is "{shown}", which names no answer.', column
        ) from None
    except LookupError:
        raise RowError(
            "not_judged", f'"{column}" is "{shown}", which names no answer.', column
        ) from None
    if at is not None and not 0 <= at < len(columns):
        raise RowError("wrong_type", f'"{column}" is "{shown}", which names no answer.', column)
    return at
