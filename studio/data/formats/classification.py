"""Answers that are not written as sentences: a class, a number, a yes or no; and translations."""

from __future__ import annotations

import json

from studio.data.formats import column_names
from studio.data.formats.base import Family, Mapping, Match, Row, listed, mapped
from studio.data.formats.chat_turns import kind_of
from studio.data.formats.column_profile import Column, Profile
from studio.data.formats.field_values import prompt_messages, text_of
from studio.data.formats.instruction import prompt_columns
from studio.data.formats.language_modeling import finished
from studio.data.types import RowError

_MOST_CLASSES = 0.5  # distinct values as a share of the rows, from where on it is no class


def _recognise(profile: Profile) -> Match | None:
    """A short answer under an answer's name, or a class under a class's name."""
    answer = profile.find(column_names.COMPLETION[:-1], "number", "bool")
    if answer and (prompt := prompt_columns(profile, {answer})):
        why = (
            f'"{answer}" answers {listed(prompt.values())} with a number, or with true or false, '
            "which is learned as it is written."
        )
        return Match(
            "short-answer", 0.9 * profile.coverage(answer), why, {**prompt, "completion": answer}
        )
    classes = _classes(profile)
    label = profile.columns[classes[0]] if classes else None
    texts = _texts(profile, label) if label else []
    if label is None or not texts or finished(profile):
        return None
    why = f'"{label.name}" is a class of {listed(texts)}: the model learns to answer with it.'
    if label.is_("number"):
        why += (
            " Its classes are numbers here: put their names in the column, or map the text alone."
        )
    if classes[1:]:
        why += f" {listed(classes[1:])} could be learned in its place: map it as the completion."
    mapping = mapped(prompt=texts[0], input=texts[1] if texts[1:] else None, completion=label.name)
    return Match("classes", 0.8, why, mapping)


def _classes(profile: Profile) -> list[str]:
    """Columns that are called a class and have few values."""
    return [
        column.name
        for word in column_names.CLASS
        for column in profile.columns.values()
        if column.key.removesuffix("_text") == word
        and column.is_("string", "number", "bool")
        and 2 <= len(column.distinct) <= max(2, _MOST_CLASSES * profile.rows)
        and len(column.distinct) < 20
        and column.mean_characters <= 40
    ]


def _texts(profile: Profile, label: Column) -> list[str]:
    """The one or two columns that are judged."""
    for first, second in column_names.JUDGED_PAIRS:
        pair = [profile.find((word,), "string", without=[label.name]) for word in (first, second)]
        if all(pair):
            return [name for name in pair if name]
    one = profile.find(column_names.JUDGED, "string", without=[label.name])
    return [one] if one else []


def _convert(row: Row, mapping: Mapping) -> Row:
    column = mapping["completion"]
    value = row.get(column)
    if value is None:
        raise RowError("missing_field", f'"{column}" is missing.', column)
    if isinstance(value, list | dict):
        raise RowError("wrong_type", f'"{column}" is {kind_of(value)}, not a class.', column)
    said = value if isinstance(value, str) else json.dumps(value)
    prompt = prompt_messages(row, mapping)
    return {"prompt": prompt, "completion": [{"role": "assistant", "content": said}]}


def _recognise_translation(profile: Profile) -> Match | None:
    """Two texts, each in a column called after its language."""
    found = _in_languages(profile)
    others = [
        column
        for column in profile.columns.values()
        if column.name not in found and column.is_("string") and column.mean_characters > 40
    ]
    if len(found) < 2 or others or profile.coverage(*found[:2]) < 0.8:
        return None
    more = f" {listed(found[2:])} left out." if found[2:] else ""
    why = (
        f'"{found[0]}" and "{found[1]}" are the same text in two languages: the first is the '
        f"prompt, the second its translation.{more} Map them the other way round for the other "
        "direction."
    )
    return Match("translation", 0.9, why, {"prompt": found[0], "completion": found[1]})


def _in_languages(profile: Profile) -> list[str]:
    """Columns of text whose names are the same but for the language that each ends in or is."""
    groups: dict[tuple[str, ...], dict[str, str]] = {}
    for column in profile.columns.values():
        words = column.key.split("_")
        codes = [at for at, word in enumerate(words) if word in column_names.LANGUAGES]
        if not column.is_("string") or not codes or len(words) > 3 or " " in column.name.strip():
            continue
        rest = tuple(word for at, word in enumerate(words) if at != codes[-1])
        groups.setdefault(rest, {}).setdefault(words[codes[-1]], column.name)
    return next((list(group.values()) for group in groups.values() if len(group) >= 2), [])


def _convert_translation(row: Row, mapping: Mapping) -> Row:
    sides = [text_of(row, mapping[side]) for side in ("prompt", "completion")]
    return {
        "prompt": [{"role": "user", "content": sides[0]}],
        "completion": [{"role": "assistant", "content": sides[1]}],
    }


FAMILIES = [
    Family(
        "classes",
        "prompt_completion",
        "Texts with a class, or questions with a short answer",
        {
            "prompt": "the text to classify, or the question",
            "input": "a second text, added below it",
            "system": "a system prompt",
            "history": "earlier turns",
            "completion": "the class or the short answer",
        },
        ("prompt", "completion"),
        _recognise,
        _convert,
        ("short-answer",),
    ),
    Family(
        "translation",
        "prompt_completion",
        "The same text in two languages",
        {"prompt": "the text", "completion": "its translation"},
        ("prompt", "completion"),
        _recognise_translation,
        _convert_translation,
    ),
]
