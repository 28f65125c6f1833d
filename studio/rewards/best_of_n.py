"""What a reward is used for besides training: best of n, rows to train on, what to ask people.

Pure functions over answers and their rewards. No torch here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from studio.core.errors import DataError
from studio.core.messages import Message


def best_of(rewards: Sequence[float], values: Sequence[float] | None = None) -> list[float]:
    """What the best-rewarded of k answers is worth, for k = 1 to n, in the mean over all choices.

    Args:
        rewards: of the n answers to one prompt; ties are broken by place.
        values: what is counted of the chosen one; the reward itself where left out.

    The expectation over all subsets of size k, not one draw: of the answers in rising order the
    i-th is the best of C(i - 1, k - 1) of the C(n, k) subsets.
    """
    counted = rewards if values is None else values
    order = sorted(range(len(rewards)), key=lambda at: rewards[at])
    n = len(order)
    return [
        sum(math.comb(rank, k - 1) * counted[at] for rank, at in enumerate(order)) / math.comb(n, k)
        for k in range(1, n + 1)
    ]


def gain(
    rewards: Sequence[Sequence[float]], values: Sequence[Sequence[float]] | None = None
) -> list[float]:
    """`best_of` in the mean over prompts: the curve of the gain over n."""
    counted = rewards if values is None else values
    curves = [best_of(own, worth) for own, worth in zip(rewards, counted, strict=True)]
    if not curves:
        raise DataError("There are no answers to choose the best of.")
    return [sum(points) / len(curves) for points in zip(*curves, strict=True)]


def best_rows(
    prompts: Sequence[list[Message]],
    answers: Sequence[Sequence[str]],
    rewards: Sequence[Sequence[float]],
    least: float | None = None,
) -> list[dict[str, Any]]:
    """The best answer to every prompt as a row to train SFT on (rejection sampling).

    Args:
        least: prompts whose best reward is below it are left out.
    """
    rows = []
    for prompt, said, worth in zip(prompts, answers, rewards, strict=True):
        at = max(range(len(said)), key=worth.__getitem__)
        if said[at].strip() and (least is None or worth[at] >= least):
            completion = [{"role": "assistant", "content": said[at]}]
            rows.append({"prompt": prompt, "completion": completion, "reward": worth[at]})
    if not rows:
        raise DataError("No prompt has an answer with that reward; lower the least reward.")
    return rows


def probability(gap: float) -> float:
    """Bradley-Terry: how likely people prefer an answer whose reward is so much higher."""
    return 1 / (1 + math.exp(-gap)) if gap >= 0 else 1 - 1 / (1 + math.exp(gap))


def disagreement(gap: float, votes_a: float, votes_b: float) -> float:
    """How surprised the reward model is by people, 0 to 1; unsure and unvoted counts 0.5 most.

    With votes: the distance of the model's probability for a from the share of votes for a.
    Without: how near to a coin toss the model is, at most 0.5.
    """
    expected = probability(gap)
    if not votes_a + votes_b:
        return 0.5 - abs(expected - 0.5)
    return abs(expected - votes_a / (votes_a + votes_b))
