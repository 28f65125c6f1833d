"""Rewards that fit rows, found by looking at what they hold. Pure functions, no torch."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from studio.core.answers import read
from studio.core.json_values import loads
from studio.core.messages import prompt_and_references
from studio.metrics import text

_MOST = 0.8  # of the rows must have a form for it to be theirs
_LATEX = re.compile(r"\\(boxed|frac|sqrt|pi\b)|\$[^$]+\$")
_SHORT = 60  # characters of an answer that can be met word for word


class Suggestion(NamedTuple):
    """Rewards as a recipe names them, and why."""

    rewards: tuple[str, ...]
    why: str


def suggest(rows: Sequence[Mapping[str, Any]]) -> Suggestion | None:
    """Rewards for rows as they are prepared; None where none can be told from them."""
    if not rows:
        return None
    for column in ("tests", "test_list"):
        if all(row.get(column) for row in rows):
            return Suggestion(
                (f"code:{column}",), f"every row has {column} to run an answer against"
            )
    for column in ("json_schema", "schema"):
        if all(row.get(column) for row in rows):
            return Suggestion((f"schema:{column}",), f"every row has a JSON schema in {column}")
    asked = [found for row in rows if (found := prompt_and_references(row))]
    answers = [[read(each).text for each in known] for _, known in asked if known]
    if len(answers) < _MOST * len(rows):
        return None
    return _by_answers([each[0] for each in answers])


def _by_answers(answers: Sequence[str]) -> Suggestion | None:
    """By the first answer of every row."""

    def most(test: Any) -> bool:
        return sum(map(bool, map(test, answers))) >= _MOST * len(answers)

    if most(lambda one: "####" in one):
        return Suggestion(("math",), "answers end with GSM8K's #### and a number")
    if most(lambda one: text.number(one) is not None):
        return Suggestion(("math",), "answers are numbers")
    if most(_LATEX.search):
        return Suggestion(("math",), "answers hold LaTeX mathematics")
    if most(lambda one: read(one).tool_calls):
        return Suggestion(("tool_call",), "answers call tools")
    objects = [set(value) for one in answers if isinstance(value := loads(one), dict)]
    if len(objects) >= _MOST * len(answers):
        shared = sorted(set.intersection(*objects))
        schema = json.dumps({"type": "object", "required": shared})
        return Suggestion((f"schema:{schema}",), "answers are JSON objects with these keys")
    if most(lambda one: len(one) <= _SHORT):
        return Suggestion(("exact",), f"answers have at most {_SHORT} characters")
    return None
