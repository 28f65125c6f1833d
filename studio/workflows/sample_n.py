"""n answers to every prompt from one column, and what a reward gives to each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from studio.core.errors import DataError, ModelError
from studio.core.messages import Message, prompt_and_references
from studio.generation.request import Column, GenerationRequest, Sampling
from studio.rewards.weighted import RewardResult, WeightedReward, references

if TYPE_CHECKING:
    from studio.engine.studio import Studio

_BATCH = 32


def answer_n(
    studio: Studio,
    column: Column,
    rows: Sequence[Mapping[str, Any]],
    mix: WeightedReward,
    n: int,
    sampling: Sampling,
    told: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[list[list[Message]], list[list[str]], list[list[RewardResult]]]:
    """(prompts, answers[prompt][n], rewards[prompt][n]); rows that ask nothing are passed over.

    Args:
        told: hears how many answers of how many are there; it may raise `Cancelled`.

    Raises `ModelError` where the column cannot answer.
    """
    asked = [(row, found[0]) for row in rows if (found := prompt_and_references(row))]
    if not asked:
        raise DataError("No row asks anything, so there is nothing to answer.")
    known = [references(row, mix.columns) for row, _ in asked for _ in range(n)]
    prompts = [prompt for _, prompt in asked for _ in range(n)]
    request = GenerationRequest(tuple(prompts), (column,), sampling, batch_size=_BATCH)
    generation = studio.generate(request)
    snapshot = generation.watch(lambda now: told(now.ended, len(prompts)))
    cells = snapshot.answers[0]
    failed = snapshot.error or next((cell.error for cell in cells if cell.error), None)
    if failed:
        raise ModelError(failed)
    texts = [cell.written for cell in cells]
    graded = mix.grade(prompts, texts, known)
    starts = range(0, len(texts), n)
    return (
        [prompt for _, prompt in asked],
        [texts[at : at + n] for at in starts],
        [graded[at : at + n] for at in starts],
    )
