"""A question, the options to choose from, and which of them is right: MMLU, ARC and the like.

Rule: the options stand under the question, each after its letter, and the answer is the right
option with its letter.
"""

from __future__ import annotations

from collections.abc import Sequence

from studio.data.formats import column_names
from studio.data.formats.base import ASKED, Family, Mapping, Match, Row, asked, listed
from studio.data.formats.column_profile import Column, Profile
from studio.data.formats.field_values import text_of
from studio.data.formats.ranking import verdicts_of
from studio.data.types import RowError

LETTERS = "ABCDEFGHIJ"
_ANSWERS = ("answer", *column_names.FOREIGN_ANSWERS)
_TEXT_KEYS = ("text", "option", "choice", "content", "value", "answer")


def _recognise(profile: Profile) -> Match | None:
    mapping = _listed(profile) or _columns(profile)
    if not mapping:
        return None
    taken = set(mapping.values())
    counts = profile.columns[mapping["options"]].values if "options" in mapping else []
    count = max((len(_options(value)) for value in counts), default=0) or len(taken)
    key, first = _key(profile, taken, count)
    prompt = profile.find(
        (*column_names.CHOICE_PROMPT, *column_names.PROMPT), "string", without={*taken, key}
    )
    if not key or not prompt:
        return None
    extra = profile.find(column_names.INPUT, "string", without={*taken, key, prompt})
    mapping |= {"prompt": prompt, "right": key, "right_first": first}
    if extra:
        mapping["input"] = extra
    why = (
        f'"{prompt}" asks, {listed(sorted(taken))} hold the options, and "{key}" says which is '
        "right: the options go under the question, each after its letter."
    )
    sure = 0.95 * min(1.0, profile.coverage(prompt, key) + 0.05)
    found = Match("multiple-choice", sure, why, mapping)
    named = [name for field, name in sorted(mapping.items()) if field.startswith("option")]
    return asked([found, *_as_pair(profile, mapping, named)]) if len(named) == 2 else found


def _as_pair(profile: Profile, mapping: Mapping, answers: list[str]) -> list[Match]:
    """Two answers of which one is right may as well be the better and the worse one."""
    if not all(column_names.key(name).startswith(_ANSWERS) for name in answers):
        return []
    kept = {field: mapping[field] for field in ("prompt", "input") if field in mapping}
    kept |= {f"answer{at}": name for at, name in enumerate(answers, 1)}
    return [
        Match("ranked", ASKED, f"{listed(answers)}: {how}", {**kept, **extra})
        for extra, how in verdicts_of(profile, answers)[:1]
    ]


def _listed(profile: Profile) -> Mapping:
    """A column that holds all options of a row."""
    for word in column_names.CHOICES:
        for column in profile.columns.values():
            if column.key.split("_")[-1] == word and _holds_options(column):
                return {"options": column.name}
    return {}


def _holds_options(column: Column) -> bool:
    several = sum(len(_options(value)) >= 2 for value in column.values)
    return bool(column.values) and several >= 0.8 * len(column.values)


def _columns(profile: Profile) -> Mapping:
    """A column an option: `A` to `D`, `option_a`, `choice1`, `opa`, `sol2`."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for column in profile.columns.values():
        stem, mark = _marked(column.key)
        if mark and column.is_("string", "number"):
            groups.setdefault(stem, []).append((mark, column.name))
    for stem in ("", *column_names.CHOICE_STEMS):
        found = sorted(groups.get(stem, ()))
        marks = "".join(mark for mark, _ in found)
        # two answers and a label are a preference, two and a key are asked about
        quiz = any(column.key in column_names.QUIZ for column in profile.columns.values())
        least = 3 if stem.startswith(_ANSWERS) and not quiz else 2
        if len(found) >= least and marks in (
            s[: len(found)] for s in ("abcdefghij", "123456789", "01234")
        ):
            return {f"option{at}": name for at, (_, name) in enumerate(found, 1)}
    return {}


def _marked(key: str) -> tuple[str, str]:
    """`("option", "a")` of `option_a`, `("", "a")` of `a`; no mark where it is no option."""
    stem, mark = key[:-1].rstrip("_"), key[-1:]
    return (
        (stem, mark) if stem in ("", *column_names.CHOICE_STEMS) and mark.isalnum() else (key, "")
    )


def _key(profile: Profile, taken: set[str], count: int) -> tuple[str, str]:
    """The column that says which option is right, and how it counts; empty where none does."""
    for word in column_names.RIGHT:
        for column in profile.columns.values():
            if column.name in taken or column.key != word:
                continue
            first = _counts(column, count)
            if first is not None:
                return column.name, first
    return "", ""


def _counts(column: Column, count: int) -> str | None:
    """ "0" or "1" for indices from there, "letter" for letters, "text" for the option itself."""
    seen = {value.strip().removesuffix(".0") for value in column.distinct}
    if not seen:
        return None
    if all(value.isdigit() for value in seen):
        numbers = {int(value) for value in seen if int(value) <= count}
        if 2 * len(numbers) < len(seen):
            return None
        return "1" if 0 not in numbers and (count in numbers or len(numbers) > 1) else "0"
    if all(len(value.strip("(). ")) == 1 and value.strip("(). ").isalnum() for value in seen):
        return "letter"
    return "text"


def _options(value: object) -> dict[str, str]:
    """Letter -> option, from a list of texts or objects, or an object of either kind."""
    if isinstance(value, dict):
        texts = next((value[k] for k in _TEXT_KEYS if isinstance(value.get(k), list)), None)
        labels = value.get("label") or value.get("labels")
        if texts is not None:
            return _lettered(texts, labels if isinstance(labels, list) else [])
        if value and all(len(str(name)) == 1 for name in value):
            return _lettered(list(value.values()), list(value))
        return {}
    if not isinstance(value, list):
        return {}
    if all(isinstance(item, dict) for item in value):
        texts = [next((i[k] for k in _TEXT_KEYS if isinstance(i.get(k), str)), None) for i in value]
        return _lettered(texts, [i.get("label") or i.get("id") or i.get("key") for i in value])
    return _lettered(value, [])


def _lettered(texts: Sequence[object], labels: Sequence[object]) -> dict[str, str]:
    numbers = [isinstance(t, int | float) and not isinstance(t, bool) for t in texts]
    if not all(isinstance(t, str) or n for t, n in zip(texts, numbers, strict=True)):
        return {}
    marks = [str(label) for label in labels]
    if len(set(marks)) != len(texts) or not all(len(mark) == 1 for mark in marks):
        marks = list(LETTERS[: len(texts)])
    return {mark: str(text) for mark, text in zip(marks, texts, strict=False)}


def _convert(row: Row, mapping: Mapping) -> Row:
    if "options" in mapping:
        column = mapping["options"]
        options = _options(row.get(column))
    else:
        named = sorted((f, c) for f, c in mapping.items() if f.startswith("option"))
        column = named[0][1]
        options = _lettered([row[c] for _, c in named if row.get(c) not in (None, "")], [])
    if len(options) < 2:
        raise RowError("too_few_answers", f'"{column}" holds fewer than two options.', column)
    mark = _right(row.get(mapping["right"]), mapping, options)
    asked = text_of(row, mapping["prompt"])
    about = row.get(mapping.get("input", ""))
    parts = [about] if isinstance(about, str) and about.strip() else []
    parts += [asked, "\n".join(f"{name}. {text}" for name, text in options.items())]
    return {
        "prompt": [{"role": "user", "content": "\n\n".join(parts)}],
        "completion": [{"role": "assistant", "content": f"{mark}. {options[mark]}"}],
    }


def _right(value: object, mapping: Mapping, options: dict[str, str]) -> str:
    """The mark of the right option."""
    column, first = mapping["right"], mapping.get("right_first", "letter")
    text = str(value).strip().removesuffix(".0")
    marks = list(options)
    if value is None or not text:
        raise RowError("missing_field", f'"{column}" is missing.', column)
    letter = text.strip("(). ")
    known = {mark.lower(): mark for mark in marks}
    if letter.lower() in known and first in ("letter", "text"):
        return known[letter.lower()]
    if first in ("0", "1") and text.isdigit() and 0 <= int(text) - int(first) < len(marks):
        return marks[int(text) - int(first)]
    if letter.upper() in LETTERS[: len(marks)] and len(letter) == 1:  # options marked 1, 2, 3
        return marks[LETTERS.index(letter.upper())]
    same = [mark for mark, option in options.items() if option.strip() == text]
    if same:
        return same[0]
    raise RowError("wrong_type", f'"{column}" is "{text[:30]}", which names no option.', column)


FAMILIES = [
    Family(
        "multiple-choice",
        "prompt_completion",
        "A question with options, one of them right",
        {
            "prompt": "the question",
            "input": "what the question is about, put above it",
            "options": "the options (instead of a column an option)",
            "right": "which option is right: its letter, its index or its text",
            "right_first": "whether an index counts from 0 or from 1",
            **{f"option{at}": f"option {at}" for at in range(1, 10)},
        },
        ("prompt", "right"),
        _recognise,
        _convert,
    )
]
