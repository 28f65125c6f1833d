"""Several judges on the same pairs: their agreement with one another and with people, and which
pairs are sure enough to be labeled without people. Pure functions; nothing here is a vote.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from studio.core.formatting import percent_text
from studio.labels import llm_judge
from studio.labels.aggregation import decide
from studio.labels.types import JudgedItem
from studio.metrics.agreement import alpha_interval
from studio.metrics.proportions import wilson_interval

Verdicts = Sequence[str | None]
"""`a`, `b`, `tie`, or None for a reply that could not be read; pair by pair."""
LEAST_PAIRS = 20  # that people and a judge decided both, before a judge may label alone
LEAST_AGREEMENT = 0.7  # the lower end of the interval of how often they agree on those
_DECIDED = ("a", "b")


@dataclass(frozen=True)
class Case:
    """One pair that can be judged: the item, its text, and what people decided."""

    item: JudgedItem
    pair: llm_judge.TextPair
    people: str | None


def cases(items: Iterable[JudgedItem]) -> list[Case]:
    """The judgeable items of a project, in order; people's majority, where they have one."""
    found: list[Case] = []
    for item in items:
        pair = llm_judge.TextPair(item.prompt, item.answer_a, item.answer_b)
        if llm_judge.judgeable([pair])[0]:
            found.append(Case(item, pair, decide(item.votes).outcome))
    return found


def panel(by_judge: Mapping[str, Verdicts], people: Verdicts) -> dict[str, Any]:
    """What judges have in common with one another and with people, JSON-able.

    `judges` is Krippendorff's alpha among several judges; for each one `people` is how often it
    takes the side that people took, of the pairs where both took one, with Wilson's interval, and
    `alpha` the same beyond chance. `may_label` says whether it may label alone, with the reason.
    """
    among = alpha_interval([list(unit) for unit in zip(*by_judge.values(), strict=True)])
    return {
        "judges": among.as_dict() if among and len(by_judge) > 1 else None,
        "each": [_with_people(name, one, people) for name, one in by_judge.items()],
    }


def _with_people(name: str, verdicts: Verdicts, people: Verdicts) -> dict[str, Any]:
    both = [
        (mine, theirs)
        for mine, theirs in zip(verdicts, people, strict=True)
        if mine in _DECIDED and theirs in _DECIDED
    ]
    same = sum(mine == theirs for mine, theirs in both)
    low, high = wilson_interval(same, len(both))
    alpha = alpha_interval([pair for pair in zip(verdicts, people, strict=True) if pair[1]])
    may = len(both) >= LEAST_PAIRS and low >= LEAST_AGREEMENT
    if len(both) < LEAST_PAIRS:
        why = f"people and the judge decided {len(both)} pairs both, and {LEAST_PAIRS} are needed"
    else:
        need = f"{percent_text(LEAST_AGREEMENT)} are needed"
        why = f"it agrees with people in at least {percent_text(low)}, and {need}"
    return {
        "judge": name,
        "unread": sum(one is None for one in verdicts),
        "people": {
            "value": same / len(both) if both else None,
            "low": low,
            "high": high,
            "count": len(both),
        },
        "alpha": alpha.as_dict() if alpha else None,
        "may_label": may,
        "why": why,
    }


def sure(by_judge: Sequence[Verdicts], share: float = 1 / 3, seed: int = 0) -> list[bool]:
    """Whether a pair may be labeled without people.

    Unsure are pairs on which a judge changed with the order, or judges differ. People are to see
    at least a `share` of all: where fewer are unsure, sure ones drawn at random are among them, so
    that what is accepted is checked as well.
    """
    units = list(zip(*by_judge, strict=True))
    found = [len(set(unit)) == 1 and unit[0] in _DECIDED for unit in units]
    missing = round(share * len(units)) - found.count(False)
    if missing > 0:
        certain = [at for at, one in enumerate(found) if one]
        for at in random.Random(seed).sample(certain, min(missing, len(certain))):
            found[at] = False
    return found
