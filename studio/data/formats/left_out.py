"""What a format leaves out of a file, said in its reason: texts, marks of how good an answer is,
and then the names of all other columns."""

from __future__ import annotations

import re

from studio.data.formats import column_names
from studio.data.formats.answer_columns import vote_columns
from studio.data.formats.base import listed
from studio.data.formats.column_profile import Column, Profile, flattened
from studio.data.formats.column_profile import profile as profile_of
from studio.data.formats.unpaired_preference import FAULTS, says_both

_MOST_NAMED = 6
_DEEPEST = 2
_RATED_TYPES = ("prompt_completion", "conversational")
_QUALITIES = {
    *("helpfulness", "correctness", "coherence", "harmlessness", "honesty", "quality", "stars"),
    *("grade", "upvotes", "downvotes", "likes", "thumbs", "points", "accuracy", "relevance"),
    *("fluency", "truthfulness", "faithfulness", "rated", "csat", "nps", "satisfaction"),
    *column_names.FOREIGN_RATINGS,
}
_OF_OTHERS = {"prompt", "instruction", "question", "id", "count", "num", "tokens", "len", "length"}
"""Words of a number that rates or counts something else than the answer."""
_JUDGED = {
    "safe",
    "correct",
    "helpful",
    "good",
    "accepted",
    "passed",
    "valid",
    "preferred",
} | FAULTS
_LETTERS = re.compile(r"[^\W\d_]")
UNSURE = 0.75
"""The most that is claimed where ratings stand beside answers and are not read."""


def texts(profile: Profile, used: set[str]) -> list[str]:
    """Columns of sentences, of lists of them, or of turns, that `used` does not hold."""
    return [c.name for c in profile.columns.values() if c.name not in used and _tells(c)]


def ratings(profile: Profile, used: set[str], type: str) -> list[str]:
    """Columns of numbers that rate the one answer of each row, where the rows of `type` are learned
    from alike."""
    if type not in _RATED_TYPES:
        return []
    columns = {**profile.columns, **_inner(profile)}
    raters = vote_columns(profile)
    raters = raters if len(raters) > 1 else []
    found = [c.name for c in columns.values() if _rates(c) or c.name in raters]
    return [name for name in found if name not in used]


def _inner(profile: Profile) -> dict[str, Column]:
    """The columns inside objects, as they are called when these are opened."""
    opened = profile_of(flattened(row) for row in profile.sample)
    return {name: column for name, column in opened.columns.items() if name not in profile.columns}


def sentences(profile: Profile, used: set[str], type: str, why: str) -> tuple[str, float]:
    """(what to add to a reason, the most confidence that is left)."""
    unread = [name for name in texts(profile, used) if f'"{name}"' not in why]
    told = f" Left out: {_named(unread)}." if unread else ""
    rated = ratings(profile, used, type)
    named = used | set(unread) | set(rated)
    if rated:
        verb = "rates" if len(rated) == 1 else "rate"
        told += (
            f" {_named(rated)} {verb} the answers and is not read: good and bad ones are learned "
            "alike. Leave the bad rows out first, or bring them as pairs, or with a label (kto)."
        ).replace("is not read", "is not read" if len(rated) == 1 else "are not read")
    rest = [name for name in _others(profile, named, type) if f'"{name}"' not in why]
    told += f" Not used: {_named(rest)}." if rest else ""
    if rated:
        return told, UNSURE
    return told, UNSURE if type == "prompt_only" and unread else _beside_others(unread, used)


def _others(profile: Profile, named: set[str], type: str) -> list[str]:
    """Filled columns that nothing names; rows without a pair keep theirs, so none of them."""
    if type == "comparison":
        return []
    inner = {name.split(".", 1)[0] for name in named}
    return [
        column.name
        for column in profile.columns.values()
        if column.filled and column.name not in named | inner
    ]


def _beside_others(unread: list[str], used: set[str]) -> float:
    """The most confidence that is left beside texts that are called corrections, or as one of
    those that are read with a word more or less: `right answer` beside `wrong answer`."""
    keys = [set(column_names.key(name).split("_")) for name in unread]
    read = [set(column_names.key(name).split("_")) for name in used]
    alike = any(len(one | other) > 1 and one & other for one in keys for other in read)
    return UNSURE if alike or set().union(*keys) & column_names.CORRECTIONS else 1.0


def _named(columns: list[str]) -> str:
    more = f" and {len(columns) - _MOST_NAMED} more" if len(columns) > _MOST_NAMED else ""
    return f"{listed(columns[:_MOST_NAMED])}{more}"


def _tells(column: Column) -> bool:
    """Whether a column holds sentences or turns that somebody may miss."""
    if column.is_("turns", "pairs"):
        return True
    values = column.values
    told = [value for value in values if is_sentence(value) or _lists_sentences(value)]
    return bool(told) and 2 * len(told) >= len(values)


def is_sentence(value: object) -> bool:
    """Several words, or several characters of a script that writes none apart."""
    if not isinstance(value, str):
        return False
    text = value.strip()
    letters = _LETTERS.findall(text)
    dense = sum(ord(letter) > 0x2E80 for letter in letters)
    return dense >= 3 or (" " in text and len(letters) >= 0.5 * len(text))


def _lists_sentences(value: object, depth: int = 0) -> bool:
    if isinstance(value, dict):
        value = list(value.values())
    return isinstance(value, list) and any(
        is_sentence(one) or (depth < _DEEPEST and _lists_sentences(one, depth + 1)) for one in value
    )


def _rates(column: Column) -> bool:
    words = set(column.key.split("_"))
    if len(column.distinct) == 2 and words & _JUDGED and column.distinct <= _EITHER:
        return True
    if column.is_("string") and says_both(column):
        return True
    named = words & ({*column_names.SCORE_STEMS} | _QUALITIES)
    if not named or words & _OF_OTHERS or len(column.distinct) < 2:
        return False
    return column.is_("number") or all(map(_is_number, column.distinct))


_EITHER = {"True", "False", "true", "false", "0", "1", "0.0", "1.0", "yes", "no", "Yes", "No"}
_OF = re.compile(r"\s*(?:/\s*\d+|out of \d+|stars?|points?|%)\s*$")


def _is_number(text: str) -> bool:
    try:
        float(_OF.sub("", text).replace(",", "."))
    except ValueError:
        return False
    return True
