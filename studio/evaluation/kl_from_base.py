"""How far a tuned model has moved from its base, on what it writes itself.

KL(tuned || base) a token, estimated on answers drawn from the tuned model at temperature 1 without
any cut: the mean of log p_tuned - log p_base over their tokens (the penalty of Stiennon et al. 2020
and of DPO's derivation, Rafailov et al. 2023). Runs in the worker's thread.
"""

from __future__ import annotations

from collections.abc import Sequence

from studio.core.messages import Message
from studio.evaluation import forward
from studio.evaluation.answer_metrics import written
from studio.evaluation.column_values import Measured, Value, in_column
from studio.evaluation.forward import Given
from studio.evaluation.request import DRIFT, Scoring
from studio.generation import column_models
from studio.generation.column_models import ColumnPlan
from studio.generation.request import Generation, GenerationRequest, Sampling
from studio.models import tokenization
from studio.models.pool import ModelPool
from studio.runs.store import RunStore


def measure(
    scoring: Scoring,
    planned: Sequence[ColumnPlan],
    columns: Sequence[Measured],
    pool: ModelPool,
    runs: RunStore,
) -> None:
    """Every run whose base is a column too writes, and both say how likely that was."""
    asked = scoring.request
    bases = {plan.column.model: plan for plan in reversed(planned) if plan.run is None}
    moved = [plan for plan in planned if plan.run and plan.column.model in bases]
    rows = asked.rows.asked()
    prompts = tuple(pair[0] for pair in rows if pair is not None)
    scoring.expect(len(prompts) * len(moved))
    wrote = written(
        scoring,
        GenerationRequest(
            prompts,
            tuple(plan.column for plan in moved),
            _own_sampling(asked.sampling),
            batch_size=asked.batch_size,
        ),
        pool,
        runs,
    )

    def compare(at: int, plan: ColumnPlan) -> None:
        base = bases[plan.column.model]
        values = iter(_kl(plan, base, prompts, wrote, at, pool, runs))
        columns[plan.index].values[DRIFT] = [
            next(values) if row is not None else None for row in rows
        ]

    for at, plan in enumerate(moved):
        in_column(columns[plan.index], lambda at=at, plan=plan: compare(at, plan))


def _own_sampling(asked: Sampling) -> Sampling:
    """The model's own distribution: nothing cut off, nothing sharpened."""
    return Sampling(temperature=1.0, max_new_tokens=asked.max_new_tokens, seed=asked.seed)


def _kl(
    tuned: ColumnPlan,
    base: ColumnPlan,
    prompts: Sequence[list[Message]],
    wrote: Generation,
    column: int,
    pool: ModelPool,
    runs: RunStore,
) -> list[Value]:
    """(sum of log-ratios, tokens) of every answer in a column of `wrote`; None where there is none.

    Raises what loading either model raises.
    """
    own = column_models.ready(tuned, pool, runs)
    answers = wrote.snapshot().answers[column]
    at, given = [], []
    for place, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
        if answer.error or not answer.ids:
            continue
        _, before = tokenization.encode(own.tokenizer, prompt)
        scored = [False] * len(before) + [True] * len(answer.ids)
        given.append(Given([*before, *answer.ids], scored))
        at.append(place)
    likely = forward.read(own, given)
    before = forward.read(column_models.ready(base, pool, runs), given)
    found: list[Value] = [None] * len(answers)
    for place, mine, theirs in zip(at, likely, before, strict=True):
        found[place] = sum(mine.logps) - sum(theirs.logps), float(len(mine.logps))
    return found
