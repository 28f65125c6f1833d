"""Log-likelihoods of continuations, as lm-eval asks for them. Runs in the worker's thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from studio.core import rope
from studio.core.errors import ModelError
from studio.evaluation import forward
from studio.evaluation.forward import Given
from studio.generation import column_models
from studio.generation.request import Column, Sampling
from studio.models.pool import ModelPool
from studio.runs.store import RunStore

Likelihood = tuple[float, bool]
"""The sum of a continuation's log-probabilities, and whether greedy decoding would write it."""


def likelihoods(
    column: Column,
    pairs: Sequence[tuple[str, str]],
    pool: ModelPool,
    runs: RunStore,
    step: Callable[[int], None],
) -> list[Likelihood]:
    """For every (context, continuation) of bare text its likelihood under a column."""
    planned, wrong = column_models.plans((column,), Sampling(), runs)
    if wrong:
        raise ModelError(wrong[0])
    loaded = column_models.ready(planned[0], pool, runs)
    limit = rope.context(loaded.resident.model.config)
    given = [encoded(loaded.tokenizer, *pair, limit) for pair in pairs]
    found = forward.read(loaded, given, step=step)
    return [(sum(one.logps), all(one.first)) for one in found]


def encoded(tokenizer: Any, context: str, continuation: str, limit: int | None) -> Given:
    """Context and continuation as one sequence whose continuation is scored.

    Both are cut into tokens together, spaces at the context's end going to the continuation, as
    lm-eval's own models do it. What exceeds `limit` is left out at the beginning.
    """
    spaces = len(context) - len(context.rstrip())
    if spaces:
        context, continuation = context[:-spaces], context[-spaces:] + continuation
    before: list[int] = tokenizer(context)["input_ids"] if context else []
    whole: list[int] = tokenizer(context + continuation)["input_ids"]
    if not before:
        first = tokenizer.bos_token_id
        before = [tokenizer.eos_token_id if first is None else first]
        whole = whole if whole[:1] == before else [*before, *whole]
    ids = whole[-limit:] if limit else whole
    scored = min(len(whole) - len(before), len(ids) - 1)
    return Given(ids, [False] * (len(ids) - scored) + [True] * scored)
