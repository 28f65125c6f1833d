"""Preference pairs without people: of several answers to a prompt the best and the worst."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from studio.core.messages import Message


@dataclass(frozen=True)
class RewardedPair:
    """Two answers to one prompt; `margin` is how much higher the chosen one's reward is."""

    prompt: list[Message]
    chosen: str
    rejected: str
    margin: float


def best_and_worst(
    prompts: Sequence[list[Message]],
    answers: Sequence[Sequence[str]],
    rewards: Sequence[Sequence[float]],
    least: float = 0.0,
) -> list[RewardedPair]:
    """A pair for every prompt whose best answer is rewarded more than `least` above its worst.

    Empty answers are no side of a pair; groups that score alike teach nothing and are left out.
    """
    found = []
    for prompt, said, worth in zip(prompts, answers, rewards, strict=True):
        order = sorted((at for at in range(len(said)) if said[at].strip()), key=worth.__getitem__)
        if not order:
            continue
        low, high = order[0], order[-1]
        margin = worth[high] - worth[low]
        if margin > least and said[high].strip() != said[low].strip():
            found.append(RewardedPair(prompt, said[high], said[low], margin))
    return found
