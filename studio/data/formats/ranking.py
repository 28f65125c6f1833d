"""Which of several answers is the better one: by a verdict, by scores, by ranks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from studio.data.formats import column_names
from studio.data.formats.base import Mapping, Row
from studio.data.formats.chat_turns import Message, kind_of, to_messages
from studio.data.formats.column_profile import Column, Profile
from studio.data.types import RowError

VERDICT_FIELDS = {
    "answers": "a list of answers (instead of answer1, answer2)",
    "better": "which answer is better: its number, letter or column name",
    "better_first": "whether a numeric preference counts from 0 or from 1",
    "scores": "a number for each answer, higher is better",
    "ranks": "a number for each answer, lower is better",
    **{f"score{at}": f"the score of answer {at}" for at in range(1, 10)},
    **{f"rank{at}": f"the rank of answer {at}" for at in range(1, 10)},
}

_TIES = {
    "tie",
    "tied",
    "both",
    "neither",
    "equal",
    "same",
    "draw",
    "tie (bothbad)",
    "bothbad",
    "none",
}
_TEXT_KEYS = ("text", "answer", "response", "content", "output", "completion", "value")
_SCORE_KEYS = (
    "score",
    "rating",
    "overall_score",
    "reward",
    "fine-grained_score",
    "pm_score",
    "fine_grained_score",
)


def verdict_of(profile: Profile, answers: list[str]) -> tuple[Mapping, str] | None:
    """The mapping of what decides between `answers`, and the rule in words; None when nothing
    does."""
    for column in _verdict_columns(profile, answers):
        first = counts_from(column.distinct, answers)
        if first is not None:
            why = f'"{column.name}" names the better one{_ORIGIN[first]}; ties are set aside.'
            return {"better": column.name, "better_first": first}, why
    return _score_columns(profile, answers)


_SAID = re.compile(r" (?:is (?:clearly |slightly )?)?(?:better|wins|won|preferred)\.?$")
_ORIGIN = {
    "0": ", counted from 0",
    "1": ", counted from 1",
    "name": "",
    "sign": " (below 0 the first, above 0 the second)",
}
_LAST = ("id", "index", "idx", "strength", "answer", "response", "completion", "model", "score")


def _verdict_columns(profile: Profile, answers: list[str]) -> Iterator[Column]:
    """Columns whose names speak of a verdict, the plainest name first."""
    for word in column_names.VERDICT:
        for column in profile.columns.values():
            if column.name in answers or column_names.numbered(column.name):
                continue
            words = column.key.split("_")
            if column.key == word or (word in words and words[-1] in (*_LAST, word)):
                yield column


def verdict_column(profile: Profile, answers: list[str]) -> str | None:
    """A column of numbers whose name speaks of a verdict."""
    found = (c.name for c in _verdict_columns(profile, answers) if c.is_("number"))
    return next(found, None)


def counts_from(seen: set[str], answers: list[str]) -> str | None:
    """How verdicts count: "0" or "1" for numbers from there, "name" for names, "sign" where
    the sign decides, None for neither."""
    values = {_SAID.sub("", value.strip().lower()) for value in seen}
    if not values:
        return None
    whole = {value.removesuffix(".0") for value in values}
    if all(value.lstrip("-").isdigit() for value in whole):
        numbers = {int(value) for value in whole}
        strength = min(numbers) < -1 or (min(numbers) == -1 and 0 not in numbers)
        if strength and max(numbers) > 0 and len(answers) == 2:
            return "sign"
        if numbers <= set(range(len(answers))) and (len(answers) not in numbers):
            return "0"
        return "1" if numbers <= set(range(len(answers) + 1)) else None
    known = {name for at, column in enumerate(answers) for name in _names(column, at)} | _TIES
    return "name" if values <= known else None


def _names(column: str, at: int) -> set[str]:
    """What a verdict may call an answer: its column, its suffix, its letter, "model_a"."""
    named = column_names.numbered(column)
    suffix = named[1] if named else str(at + 1)
    letter = "abcdefghi"[at]
    return {
        column.lower(),
        suffix,
        letter,
        f"model_{suffix}",
        f"model_{letter}",
        f"{letter}.",
        *(
            f"{word} {mark}"
            for word in ("answer", "response", "assistant", "model", "option")
            for mark in (suffix, letter)
        ),
    }


def _score_columns(profile: Profile, answers: list[str]) -> tuple[Mapping, str] | None:
    suffixes = [_apart(column)[1] for column in answers]
    for field, stems in (("score", column_names.SCORE_STEMS), ("rank", column_names.RANK_STEMS)):
        found = {}
        for column in profile.columns.values():
            stem, suffix = _apart(column.name)
            if _speaks_of(stem.split("_"), stems) and column.is_("number", "string"):
                found[suffix] = column.name
        if len(set(suffixes)) == len(answers) and all(suffix in found for suffix in suffixes):
            mapping = {f"{field}{at}": found[suffix] for at, suffix in enumerate(suffixes, 1)}
            rule = "the higher score wins" if field == "score" else "the lower rank wins"
            return mapping, f"each has its {field}, and {rule}; ties are dropped."
    return None


def _apart(column: str) -> tuple[str, str]:
    """What a column holds, and whose it is: by number or letter, or by the model before it."""
    if named := column_names.numbered(column):
        return named
    whose, _, stem = column_names.key(column).rpartition("_")
    return stem, whose


def _speaks_of(words: list[str], stems: tuple[str, ...]) -> bool:
    """A score by its last word, or a verdict a column (`winner_model_a`: 1 or 0)."""
    return words[-1] in stems or (
        words[0] in ("winner", "win") and stems is column_names.SCORE_STEMS
    )


def pair_from_verdict(row: Row, mapping: Mapping, columns: list[str]) -> tuple[int, int]:
    """Positions of the better and of another answer by the row's verdict."""
    column = mapping["better"]
    value = row.get(column)
    if value is None or value == "":
        raise RowError("missing_field", f'"{column}" is missing.', column)
    at = named_answer(value, mapping.get("better_first", "1"), columns, column)
    if at is None:
        raise RowError("tie", f'"{column}" calls the row a tie; it makes no pair.', column)
    return at, next(n for n in range(len(columns)) if n != at)


def named_answer(value: object, first: str, columns: list[str], column: str) -> int | None:
    """Position of the answer that a verdict names, None for a tie; `first`: see `counts_from`."""
    text = _SAID.sub("", str(value).strip().lower()).removesuffix(".0")
    at: int | None = None
    if text.lstrip("-").isdigit() and first in ("0", "1", "sign"):
        number = int(text)
        if first == "sign":
            return None if number == 0 else int(number > 0)
        at = number - int(first)
        if at == -1:
            return None
    else:
        at = next((n for n, name in enumerate(columns) if text in _names(name, n)), None)
    if at is None and text in _TIES:
        return None
    if at is None or not 0 <= at < len(columns):
        raise RowError("wrong_type", f'"{column}" is "{text[:30]}", which names no answer.', column)
    return at


def pair_from_scores(row: Row, mapping: Mapping, count: int) -> tuple[int, int]:
    """Positions of the best and the worst answer by their score or rank columns."""
    field = "score" if "score1" in mapping else "rank"
    numbers = [
        _number(row.get(mapping.get(f"{field}{at}", "")), field) for at in range(1, count + 1)
    ]
    return _best_and_worst(numbers, field == "rank", mapping.get(f"{field}1", field))


def pair_from_list(
    answers: object, numbers: object, better: object, kind: str | None, column: str
) -> tuple[list[Message], list[Message]]:
    """Best and worst of a list of answers: by index, by numbers beside it, or by their own
    scores."""
    if not isinstance(answers, list):
        raise RowError(
            "wrong_type", f'"{column}" is {kind_of(answers)}, not a list of answers.', column
        )
    if len(answers) < 2:
        raise RowError("too_few_answers", f'"{column}" has fewer than two answers.', column)
    if isinstance(better, int) and not isinstance(better, bool):
        if not 0 <= better < len(answers):
            raise RowError(
                "wrong_type", f"The preference {better} names no answer of {column!r}.", column
            )
        at, other = better, next(n for n in range(len(answers)) if n != better)
    else:
        values = (
            numbers if isinstance(numbers, list) else [_own_score(item, column) for item in answers]
        )
        if len(values) != len(answers):
            raise RowError(
                "wrong_type", f"{len(values)} scores stand beside {len(answers)} answers.", column
            )
        at, other = _best_and_worst([_number(v, "score") for v in values], kind == "ranks", column)
    return _answer(answers[at], column), _answer(answers[other], column)


def listed_answers(value: object, column: str) -> list[list[Message]]:
    """Every answer of a list, as messages; two at least."""
    if not isinstance(value, list) or len(value) < 2:
        raise RowError("too_few_answers", f'"{column}" has fewer than two answers.', column)
    return [_answer(item, column) for item in value[:9]]


def _best_and_worst(numbers: list[float], lower_wins: bool, column: str) -> tuple[int, int]:
    if max(numbers) == min(numbers):
        raise RowError("tie", "All answers have the same score; the row makes no pair.", column)
    top, bottom = numbers.index(max(numbers)), numbers.index(min(numbers))
    return (bottom, top) if lower_wins else (top, bottom)


def _own_score(item: object, column: str) -> Any:
    if isinstance(item, dict):
        for name in _SCORE_KEYS:
            if isinstance(item.get(name), int | float | str):
                return item[name]
        for name in ("rank", "ranking"):
            if isinstance(item.get(name), int | float):
                return -item[name]  # the lower rank wins
    raise RowError("missing_field", f"An answer of {column!r} has no score.", column)


def _number(value: Any, field: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise RowError("wrong_type", f"The {field} is {kind_of(value)}, not a number.") from None
    if number != number:
        raise RowError("wrong_type", f"The {field} is not a number.")
    return number


def _answer(value: object, column: str) -> list[Message]:
    if isinstance(value, str):
        return [{"role": "assistant", "content": value}]
    if isinstance(value, dict) and "role" not in value:
        text = next((value[name] for name in _TEXT_KEYS if isinstance(value.get(name), str)), None)
        if text is not None:
            return [{"role": "assistant", "content": text}]
    return to_messages(value, column)
