"""Plain text, for language modelling."""

from __future__ import annotations

import re

from studio.data.formats import column_names
from studio.data.formats.base import ASKED, Family, Mapping, Match, Row, asked
from studio.data.formats.column_profile import Column, Profile
from studio.data.formats.field_values import text_of


def _recognise(profile: Profile) -> Match | None:
    texts = [column for column in profile.columns.values() if column.is_("string")]
    if not texts:
        return None
    if len(profile.columns) == 1:
        only = texts[0]
        sure = 0.97 if only.key in column_names.TEXT else 0.8
        why = f'One column of text, "{only.name}".'
        if sum(map(_asks_and_answers, only.values)) >= 0.5 * len(only.values):
            sure = 0.6
            why += (
                " It holds questions with answers, which are learned alike as one text; as a table "
                "with the columns question and answer, only the answers are learned."
            )
        return Match("text", sure, why, {"text": only.name})
    if holder := finished(profile):
        why = (
            f'"{holder.name}" repeats the text of another column, so it is the finished '
            "text to train on. "
            "Map prompt and completion by hand if you mean other columns."
        )
        return Match("text", 0.7, why, {"text": holder.name})
    named = profile.find(column_names.TEXT, "string")
    joined = {"answer_id", "answer1_id", "model_id", "review_id"} & {
        column.key for column in profile.columns.values()
    }
    if named and joined:
        why = (
            f'"{named}" is text, and "{min(joined)}" says that it answers or judges rows of '
            "another file. "
            "Bring the prompts together with the answers to compare or to train on them."
        )
        return Match("text", 0.4, why, {"text": named})
    if named and profile.coverage(named) > 0.5:
        why = f'The text is in "{named}"; the other columns hold neither a prompt nor an answer.'
        return Match("text", 0.75, why, {"text": named})
    if pair := _pair(texts):
        return _asked_pair(*pair)
    longest = max(texts, key=lambda column: column.mean_characters * column.filled)
    why = (
        f'No column is named as a prompt, an answer or a conversation; "{longest.name}" '
        "holds the most text. "
        "This is a guess; map the columns by hand if it is wrong."
    )
    return Match("text", 0.3, why, {"text": longest.name})


_QUESTION = re.compile(r"^(?:Q|Question|Frage|Pregunta|\u95ee|\u554f)\s?\d*[:.\uff1a]", re.M)
_ANSWER = re.compile(r"^(?:A|Answer|Antwort|Respuesta|R|\u7b54)\s?\d*[:.\uff1a]", re.M)


def _asks_and_answers(text: object) -> bool:
    if not isinstance(text, str):
        return False
    asked = len(_QUESTION.findall(text))
    return asked > 1 and len(_ANSWER.findall(text)) >= 0.8 * asked


def _pair(texts: list[Column]) -> tuple[Column, Column] | None:
    """Two columns of sentences and no third: perhaps a prompt and its answer."""
    told = [
        column
        for column in texts
        if not set(column.key.split("_")) & column_names.NOT_TEXT
        and len(column.distinct) > 1
        and not all(value.replace(".", "", 1).isdigit() for value in column.distinct)
    ]
    return (told[0], told[1]) if len(told) == 2 else None


def _asked_pair(first: Column, second: Column) -> Match | None:
    """Two columns without names that tell: either way a pair, or the longer one alone."""

    def pair(prompt: Column, answer: Column) -> Match:
        why = f'"{prompt.name}" as the prompt, "{answer.name}" as its answer.'
        mapping = {"prompt": prompt.name, "completion": answer.name}
        return Match("instruction", ASKED, why, mapping)

    longer = max(first, second, key=lambda column: column.mean_characters)
    why = f'"{longer.name}" alone, as text; no name says what the two columns of text are.'
    alone = Match("text", ASKED, why, {"text": longer.name})
    ways = [pair(first, second), pair(second, first), alone]
    if len(first.distinct) < min(20, 0.5 * first.filled):  # a class rather than a prompt
        ways = [ways[1], ways[0], alone]
    return asked(ways)


def finished(profile: Profile) -> Column | None:
    """The column that repeats another one's text: the finished text made of the row's parts."""
    texts = [column for column in profile.columns.values() if column.is_("string")]
    return next((column for column in texts if _repeats_another(column, texts)), None)


def _repeats_another(column: Column, texts: list[Column]) -> bool:
    """Whether its values contain another column's longer values, row by row."""
    for other in texts:
        if other is column or other.mean_characters < 15 or len(other.values) != len(column.values):
            continue
        pairs = list(zip(column.values, other.values, strict=True))
        inside = sum(
            a != b and isinstance(b, str) and b in a for a, b in pairs if isinstance(a, str)
        )
        if inside >= 0.9 * len(pairs):
            return True
    return False


def _convert(row: Row, mapping: Mapping) -> Row:
    return {"text": text_of(row, mapping["text"])}


FAMILIES = [
    Family(
        "text",
        "language_modeling",
        "Plain text",
        {"text": "the text to train on"},
        ("text",),
        _recognise,
        _convert,
    )
]
