"""Which columns hold several answers to one prompt, and which hold raters' votes on them."""

from __future__ import annotations

from studio.data.formats import column_names
from studio.data.formats.base import Mapping
from studio.data.formats.column_profile import Profile


def answer_columns(profile: Profile) -> list[str]:
    """Two or more columns of answers: one stem with different numbers or letters, or one stem
    after the names of different models (`gpt4_output`, `llama_output`)."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for column in profile.columns.values():
        named = column_names.numbered(column.name)
        if named and column.is_("string", "turns", "turn"):
            groups.setdefault(named[0], []).append((named[1], column.name))
    for stem in column_names.ANSWER_STEMS:
        found = groups.get(stem) or next(
            (group for other, group in groups.items() if other.split("_")[-1] == stem), []
        )
        if len(found) >= 2:
            return [name for _, name in sorted(found)]
    return _of_models(profile)


def numbered_answers(mapping: Mapping) -> list[str]:
    """The columns that a mapping calls answer1, answer2, ..., in this order."""
    numbered = sorted(
        (int(f[6:]), c) for f, c in mapping.items() if f.startswith("answer") and f[6:].isdigit()
    )
    return [column for _, column in numbered]


def _of_models(profile: Profile) -> list[str]:
    """Columns that end in the same word for an answer, the words before it being names."""
    for stem in column_names.MODEL_STEMS:
        found = [
            column.name
            for column in profile.columns.values()
            if column.is_("string")
            and len(words := column.key.split("_")) > 1
            and words[-1].removesuffix("s") == stem
            and (not set(words[:-1]) & column_names.NO_MODEL or _lettered(words))
        ]
        if len(found) >= 2:
            return found
    named = [
        column.name
        for column in profile.columns.values()
        if column.is_("string") and column.key.split("_")[0] in column_names.MODELS
    ]
    return named if len(named) >= 2 else []


def _lettered(words: list[str]) -> bool:
    """Whether a name is a model's by letter or number: `model_a_response`."""
    return len(words) == 3 and words[0] in ("model", "assistant") and words[1] in [*"abcd1234"]


def vote_columns(profile: Profile) -> list[str]:
    """Numbered columns of raters with few values."""
    found = []
    for column in profile.columns.values():
        named = column_names.numbered(column.name)
        if (
            named
            and named[0].split("_")[-1] in column_names.VOTE_STEMS
            and len(column.distinct) <= 8
        ):
            found.append(column.name)
    return found
