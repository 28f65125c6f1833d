"""Duels between models with win rates, intervals and length control; JSON-able.

People's votes and a judge model's verdicts are processed alike, and never mixed.
"""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from studio.core.errors import ConfigError
from studio.labels.types import UNDECIDED, JudgedItem, source_names
from studio.labels.win_rates import WinRate, tally
from studio.metrics.bootstrap import (
    bootstrap_mean,
    bradley_terry,
    length_controlled,
    votes_to_settle,
)

_SCORES = {"a": 1.0, "b": 0.0, "tie": 0.5, "both_bad": 0.5}


@dataclass(frozen=True)
class Outcome:
    """What was said of one pair, seen from the first side; lengths in characters.

    `choices` holds every vote on the pair; their mean is one score, because several votes on one
    pair are not independent.
    """

    prompt: Sequence[Mapping[str, str]]
    choices: Sequence[str]
    length_a: int
    length_b: int

    @property
    def score(self) -> float:
        """Mean of 1 for the first side, 0 for the second, 1/2 for a tie or both bad."""
        return statistics.fmean(_SCORES[choice] for choice in self.choices)

    def swap(self) -> Outcome:
        """The same votes seen from the other side."""
        other = [{"a": "b", "b": "a"}.get(choice, choice) for choice in self.choices]
        return Outcome(self.prompt, other, self.length_b, self.length_a)


def duel(rate: WinRate, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Counts, win rates and their uncertainty; `outcomes` has one entry a pair.

    `half_win` is the mean of 1 for a win, 1/2 for a tie or both bad, 0 for a loss, its interval a
    bootstrap over prompts; `length_controlled` the same were both answers equally long; `further`
    the decisive pairs still needed for significance (None where both won equally often).
    """
    scores = [outcome.score for outcome in outcomes]
    prompts = [json.dumps(outcome.prompt, sort_keys=True) for outcome in outcomes]
    clusters: dict[str, list[float]] = defaultdict(list)
    for prompt, score in zip(prompts, scores, strict=True):
        clusters[prompt].append(score)
    half = bootstrap_mean(list(clusters.values()))
    fair = length_controlled(
        scores, [each.length_a for each in outcomes], [each.length_b for each in outcomes], prompts
    )
    return {
        **rate.as_dict(),
        "half_win": half.as_dict() if half else None,
        "length_controlled": fair.rate.as_dict() | {"length": fair.length} if fair else None,
        "further": votes_to_settle(rate.wins, rate.losses),
    }


def duels(items: Iterable[JudgedItem]) -> list[dict[str, Any]]:
    """Every pair of models that met, most items first.

    Counts are of items, by majority; for the half-win score and its length control an item counts
    once too, by the mean of its votes.
    """
    items = [item for item in items if item.sampled]
    named = source_names(items)
    found: list[dict[str, Any]] = []
    for rate in tally(items):
        outcomes: list[Outcome] = []
        for item in items:
            sides = named(item.source_a), named(item.source_b)
            if sorted(sides) == sorted((rate.a, rate.b)):
                swapped = sides != (rate.a, rate.b)
                outcomes += [each.swap() if swapped else each for each in _outcome(item)]
        found.append(duel(rate, outcomes))
    return found


def _outcome(item: JudgedItem) -> list[Outcome]:
    """The item's outcome, or none where nobody decided or somebody flagged it."""
    choices = [vote.choice for vote in item.deciding if vote.choice not in UNDECIDED]
    if not choices or any(vote.choice == "broken" for vote in item.deciding):
        return []
    return [Outcome(item.prompt, choices, len(item.answer_a), len(item.answer_b))]


def strengths(found: Sequence[Mapping[str, Any]]) -> tuple[list[dict[str, Any]], str | None]:
    """(Bradley-Terry strengths where more than two models met, why there are none)."""
    wins: dict[tuple[str, str], float] = defaultdict(float)
    for each in found:
        half = (each["ties"] + each["both_bad"]) / 2
        wins[each["a"], each["b"]] += each["wins"] + half
        wins[each["b"], each["a"]] += each["losses"] + half
    if len({name for pair in wins for name in pair}) < 3:
        return [], None
    try:
        return [vars(each) for each in bradley_terry(wins)], None
    except ConfigError as error:
        return [], str(error)
