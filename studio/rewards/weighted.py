"""A weighted sum of parts, and what it gives to answers. No torch here: models come as scorers."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from studio.core.answers import read
from studio.core.errors import ConfigError, DataError, StudioError, TrainingError
from studio.core.messages import Message, prompt_and_references
from studio.rewards.checkers import OWN, Mark
from studio.rewards.spec import RewardTerm, parse

Scorer = Callable[[Sequence[list[Message]], Sequence[str]], "Sequence[float | Mark]"]
"""(prompts, answers) -> a number each: a reward model, or a judge."""
Known = Mapping[str, Sequence[str]]
"""The references of one row by column; the row's own answers are under the empty name."""


@dataclass(frozen=True)
class RewardResult:
    """One answer's reward: the weighted sum, and each part before its weight.

    `notes` are sentences of parts that have something to say, such as why a test failed.
    """

    total: float
    parts: dict[str, float]
    notes: dict[str, str] = field(default_factory=dict[str, str])


class WeightedReward:
    """The parts of a reward with their weights.

    Raises `ConfigError` for parts that cannot be, `TrainingError` where one fails at its work.
    """

    def __init__(
        self,
        texts: Sequence[str],
        weights: Sequence[float] | None = None,
        scorers: Mapping[str, Scorer] | None = None,
    ):
        self.parts = parse(texts)
        if not self.parts:
            raise ConfigError("A reward needs at least one part, such as reward_funcs: [exact].")
        if weights and len(weights) != len(self.parts):
            raise ConfigError(
                f"reward_weights has {len(weights)} numbers for {len(self.parts)} rewards; give "
                "one each."
            )
        self.weights = tuple(weights or (1.0,) * len(self.parts))
        self._scorers = dict(scorers or {})

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that answers are compared with, each once."""
        return tuple(dict.fromkeys(p.column for p in self.parts if p.column is not None))

    def values(
        self,
        part: RewardTerm,
        prompts: Sequence[list[Message]],
        answers: Sequence[str],
        known: Sequence[Known],
    ) -> list[float]:
        """One part's reward of every answer; every number is finite."""
        return [mark.value for mark in self.marks(part, prompts, answers, known)]

    def marks(
        self,
        part: RewardTerm,
        prompts: Sequence[list[Message]],
        answers: Sequence[str],
        known: Sequence[Known],
    ) -> list[Mark]:
        """`values`, with what a part says about an answer.

        Answers hold their thinking, if any: only `format` looks at it.
        """
        if part.kind != "format":
            answers = [read(answer).text for answer in answers]
        try:
            if part.scorer is not None:
                found: list[float | Mark] = [*self._scorers[part.scorer](prompts, answers)]
            else:
                found = _measured(part, answers, known)
        except StudioError:
            raise
        except Exception as problem:
            raise TrainingError(
                f"The reward {part.text} broke off with {type(problem).__name__}: {problem}. "
                "Try it on sample answers first (rewards preview), then change reward_funcs."
            ) from problem
        marks = [each if isinstance(each, Mark) else Mark(float(each)) for each in found]
        for at, (value, _) in enumerate(marks):
            if not math.isfinite(value):
                raise TrainingError(
                    f"The reward {part.text} gave {value} for the answer {answers[at][:60]!r}; a "
                    "reward must be a number. Train the reward model again, or leave it out."
                )
        return marks

    def grade(
        self, prompts: Sequence[list[Message]], answers: Sequence[str], known: Sequence[Known]
    ) -> list[RewardResult]:
        """Every answer's reward with its parts."""
        each = {part.name: self.marks(part, prompts, answers, known) for part in self.parts}
        return [
            RewardResult(
                sum(
                    w * each[p.name][at].value
                    for p, w in zip(self.parts, self.weights, strict=True)
                ),
                {name: marks[at].value for name, marks in each.items()},
                {name: marks[at].why for name, marks in each.items() if marks[at].why},
            )
            for at in range(len(answers))
        ]


def _measured(
    part: RewardTerm, answers: Sequence[str], known: Sequence[Known]
) -> list[float | Mark]:
    """A rule's marks; code waits for processes, so several answers run at once."""
    assert part.measure is not None
    given = [() if part.column is None else each[part.column] for each in known]
    if part.kind != "code":
        return [part.measure(*case) for case in zip(answers, given, strict=True)]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return list(pool.map(part.measure, answers, given))


_TRUTHS = ("ground_truth", "solution", "answer", "target", "reference_answer")
"""Columns of a source whose accepted answers a prepared row holds under `answers`."""


def references(row: Mapping[str, Any], columns: Iterable[str]) -> dict[str, list[str]]:
    """What answers to a row are compared with, by column; a `DataError` where it is not there."""
    found: dict[str, list[str]] = {}
    for column in columns:
        if column == OWN:
            asked = prompt_and_references(row)
            values = list(asked[1]) if asked else []
        else:
            if column not in row and row.get("answers") and column.endswith(_TRUTHS):
                found[column] = [str(each) for each in row["answers"]]
                continue
            if column not in row:
                raise DataError(
                    f"The rows have no column {column!r} to compare answers with; they have "
                    f"{', '.join(row)}."
                )
            value = row[column]
            several = value if isinstance(value, list) else [] if value is None else [value]
            values = [each if isinstance(each, str) else json.dumps(each) for each in several]
        if not values:
            where = f"column {column!r}" if column else "an answer of its own"
            raise DataError(
                f"A row has nothing to compare with in {where}: "
                f"{str(row.get('prompt') or row)[:80]}. Leave such rows out, or choose another "
                "reward."
            )
        found[column] = values
    return found


def preview(
    mix: WeightedReward, rows: Sequence[Mapping[str, Any]], answers: Sequence[str] | None = None
) -> list[dict[str, Any]]:
    """What a reward gives to sample answers: {"prompt", "answer", "reward", "parts"} each, and
    "notes" where parts have something to say.

    The answers are those given, each to the first row, or else the rows' own (of a pair both).
    """
    cases: list[tuple[Mapping[str, Any], str]] = []
    if answers is not None:
        cases = [(rows[0], answer) for answer in answers] if rows else []
    else:
        for row in rows:
            cases += [(row, answer) for answer in _own(row)]
    prompts, known = [], []
    for row, _ in cases:
        asked = prompt_and_references(row)
        if asked is None:
            raise DataError("A row asks nothing, so no answer to it can be rewarded.")
        prompts.append(asked[0])
        known.append(references(row, mix.columns))
    graded = mix.grade(prompts, [answer for _, answer in cases], known)
    return [
        shown(prompt, answer, one)
        for prompt, (_, answer), one in zip(prompts, cases, graded, strict=True)
    ]


def shown(prompt: Sequence[Message], answer: str, one: RewardResult) -> dict[str, Any]:
    """One answer of a preview."""
    return {
        "prompt": prompt[-1]["content"],
        "answer": answer,
        "reward": one.total,
        "parts": one.parts,
        **({"notes": one.notes} if one.notes else {}),
    }


def _own(row: Mapping[str, Any]) -> list[str]:
    if row.get("rejected"):
        return [
            asked[1][0]
            for side in ("chosen", "rejected")
            if (asked := prompt_and_references({"prompt": row["prompt"], "chosen": row[side]}))
        ]
    asked = prompt_and_references(row)
    return list(asked[1][:1]) if asked else []
