"""How far a tuned model has moved from its base, on what it writes itself.

KL(tuned || base) a token, estimated on answers drawn from the tuned model at temperature 1 without
any cut: the mean of log p_tuned - log p_base over their tokens (the penalty of Stiennon et al. 2020
and of DPO's derivation, Rafailov et al. 2023). Runs in the worker's thread.
"""

from __future__ import annotations

from collections.abc import Sequence

from studio.generation import engine, lanes
from studio.generation.lanes import Plan
from studio.generation.request import Generation, Message, Sampling
from studio.models.pool import ModelPool
from studio.scoring import forward
from studio.scoring.forward import Given
from studio.training.runs import RunStore

Value = tuple[float, float] | None


def sampling_for(asked: Sampling) -> Sampling:
    """The model's own distribution: nothing cut off, nothing sharpened."""
    return Sampling(temperature=1.0, max_new_tokens=asked.max_new_tokens, seed=asked.seed)


def kl(
    tuned: Plan, base: Plan, prompts: Sequence[list[Message]], wrote: Generation, column: int,
    pool: ModelPool, runs: RunStore,
) -> list[Value]:  # fmt: skip
    """(sum of log-ratios, tokens) of every answer in a column of `wrote`; None where there is none.

    Raises what loading either model raises.
    """
    own = lanes.ready(tuned, pool, runs)
    answers = wrote.snapshot().answers[column]
    at, given = [], []
    for place, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
        if answer.error or not answer.ids:
            continue
        _, before = engine.encode(own.tokenizer, prompt)
        scored = [False] * len(before) + [True] * len(answer.ids)
        given.append(Given([*before, *answer.ids], scored))
        at.append(place)
    likely = forward.read(own, given)
    before = forward.read(lanes.ready(base, pool, runs), given)
    found: list[Value] = [None] * len(answers)
    for place, mine, theirs in zip(at, likely, before, strict=True):
        found[place] = sum(mine.logps) - sum(theirs.logps), float(len(mine.logps))
    return found
