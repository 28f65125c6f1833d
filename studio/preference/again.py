"""A project's pairs to be judged once more, with how far verdicts on each differed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from studio.preference.items import UNDECIDED, Item, JudgedItem
from studio.rewards.using import disagreement

if TYPE_CHECKING:
    from studio.studio import Studio


def gaps(studio: Studio, run: str, judged: Sequence[JudgedItem]) -> list[float]:
    """How much more a finished reward run gives to answer a than to answer b, one an item."""
    prompts = [item.prompt for item in judged for _ in range(2)]
    answers = [answer for item in judged for answer in (item.answer_a, item.answer_b)]
    scores = [one.total for one in studio.reward([f"model:{run}"], None, prompts, answers).result()]
    return [first - second for first, second in zip(scores[::2], scores[1::2], strict=True)]


def items_again(judged: Sequence[JudgedItem], gaps: Sequence[float] | None = None) -> list[Item]:
    """The same pairs as new items; their provenance says what `pairs.arrange` sorts by.

    `disagreement` is, from 0 to 1, the share of votes against the majority, or, with a reward
    model's `gaps`, how far it and the votes are apart (`studio.rewards.using.disagreement`).
    """
    return [
        Item(
            item.prompt, item.answer_a, item.answer_b, item.source_a, item.source_b,
            {"again": item.item_id,
             "disagreement": _among(item) if gaps is None else _from(gaps[at], item)},
        )
        for at, item in enumerate(judged)
    ]  # fmt: skip


def _among(item: JudgedItem) -> float:
    said = Counter(vote.choice for vote in item.votes if vote.choice not in UNDECIDED)
    return 1 - max(said.values()) / said.total() if said else 0.0


def _from(gap: float, item: JudgedItem) -> float:
    said = Counter(vote.choice for vote in item.votes)
    return disagreement(gap, said["a"], said["b"])
