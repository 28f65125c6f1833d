"""Scores whole columns, one at a time, and makes the report. Runs in the worker's thread.

Columns that fail say why, and the others go on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from studio.core import rope
from studio.core.messages import prompt_and_references
from studio.evaluation import answer_metrics, forward, kl_from_base, report, request
from studio.evaluation.column_values import Measured, Value, Wrong, in_column
from studio.evaluation.eval_rows import LETTERS
from studio.evaluation.forward import Given, Read
from studio.evaluation.request import Scoring
from studio.generation import column_models
from studio.generation.column_models import ColumnModel, ColumnPlan
from studio.models.pool import ModelPool
from studio.runs.recipe import Recipe
from studio.runs.store import RunStore


def score(scoring: Scoring, pool: ModelPool, runs: RunStore) -> dict[str, Any]:
    """Score all columns of a request on its rows, and report (`report.build`)."""
    asked = scoring.request
    planned, wrong = column_models.plans(asked.columns, asked.sampling, runs)
    columns = [Measured(error=wrong.get(at)) for at in range(len(asked.columns))]
    likelihoods = set(asked.metrics) - {*request.GENERATED, request.DRIFT}
    generated = set(asked.metrics) & set(request.GENERATED)
    each = bool(likelihoods) * len(planned) + bool(generated) * len(asked.columns)
    scoring.expect(each * len(asked.rows))
    # Every column is scored on the same tokens, those the first run in play was trained on.
    recipe = next((plan.recipe for plan in planned if plan.recipe), None)
    for plan in planned if likelihoods else []:
        in_column(
            columns[plan.index],
            lambda plan=plan: _likelihoods(scoring, plan, recipe, columns[plan.index], pool, runs),
        )
    if "reward_accuracy" in likelihoods or "reward_margin" in likelihoods:
        _rewards(scoring, planned, columns)
    if generated:
        answer_metrics.measure(scoring, columns, pool, runs)
    if request.DRIFT in asked.metrics:
        kl_from_base.measure(scoring, planned, columns, pool, runs)
    return report.build(asked, columns)


def _likelihoods(
    scoring: Scoring,
    plan: ColumnPlan,
    recipe: Recipe | None,
    column: Measured,
    pool: ModelPool,
    runs: RunStore,
) -> None:
    loaded = column_models.ready(plan, pool, runs)
    wanted = scoring.request.metrics
    label = scoring.request.columns[plan.index].label or plan.column.model

    def step(count: int) -> None:
        scoring.step(count, f"Reading rows, {label}")

    if scoring.request.rows.questions:
        column.values["choice_accuracy"] = _choices(loaded, scoring, step)
        return
    sequences = _encoded(scoring.request.rows.type, scoring.request.rows.rows, loaded, recipe)
    if scoring.request.rows.type != "preference":
        found = forward.read(loaded, [given for (given,) in sequences], step=step)
        column.values |= {name: _taught(name, found) for name in request.FORWARD if name in wanted}
        return
    flat = [given for pair in sequences for given in pair]
    found = forward.read(loaded, flat, step=lambda _: step(0))  # so that a stop is heard meanwhile
    step(len(sequences))
    sums = [sum(read.logps) for read in found]
    column.pairs = list(zip(sums[::2], sums[1::2], strict=True))
    if "preference_accuracy" in wanted:
        column.values["preference_accuracy"] = [
            (float(chosen > rejected), 1.0) for chosen, rejected in column.pairs
        ]
        column.wrong = _misordered(scoring.request.rows.rows, column.pairs)


def _misordered(rows: Sequence[dict[str, Any]], pairs: Sequence[tuple[float, float]]) -> Wrong:
    """Pairs whose rejected answer is likelier."""
    found = Wrong("preference_accuracy")
    for at, (row, (chosen, rejected)) in enumerate(zip(rows, pairs, strict=True)):
        asked = prompt_and_references(row)
        if chosen <= rejected and asked is not None:
            other = row["rejected"]
            text = other if isinstance(other, str) else str(other[-1]["content"])
            found.add(at, asked[0], text, against=asked[1][0])
    return found


def _taught(metric: str, found: Sequence[Read]) -> list[Value]:
    def value(read: Read) -> Value:
        if not read.logps:
            return None
        total = sum(read.first) if metric == "token_accuracy" else -sum(read.logps)
        return total, float(len(read.logps))

    return [value(read) for read in found]


def _encoded(
    type: str, rows: Sequence[dict[str, Any]], loaded: ColumnModel, recipe: Recipe | None
) -> list[list[Given]]:
    """Every row as the trainer would see it: one sequence, or a chosen and a rejected one."""
    from studio.data.tokens.token_view import render

    context = rope.context(loaded.resident.model.config)
    limit = recipe.max_length if recipe and recipe.max_length else context
    limit = min(limit, context) if limit and context else limit
    settings: dict[str, Any] = {"max_length": limit, "chat_template_kwargs": loaded.defaults}
    if recipe is not None and type != "preference":
        settings |= {
            "completion_only_loss": recipe.completion_only_loss,
            "assistant_only_loss": recipe.assistant_only_loss,
            "mask_history": recipe.mask_history,
        }
    found = []
    for row in rows:
        views = render(row, type, loaded.tokenizer, **settings)
        found.append(
            [
                Given(
                    [t.id for t in view.tokens[: view.kept]],
                    [t.trained for t in view.tokens[: view.kept]],
                )
                for view in views
            ]
        )
    return found


def _choices(loaded: ColumnModel, scoring: Scoring, step: Callable[[int], None]) -> list[Value]:
    """Whether the right letter is the likeliest of the letters, one forward pass a question."""
    questions = scoring.request.rows.questions
    tokenizer = loaded.tokenizer
    sequences, letters = [], []
    for question in questions:
        prompt = tokenizer(question.prompt)["input_ids"]
        # The last token of "Answer: A": the letter as it stands after a space.
        names = [
            tokenizer(f"{question.prompt} {letter}")["input_ids"][-1]
            for letter in LETTERS[: len(question.options)]
        ]
        letters.append(names)
        sequences.extend(Given([*prompt, name], [False] * len(prompt) + [True]) for name in names)
    found = iter(forward.read(loaded, sequences))
    values: list[Value] = []
    for question, names in zip(questions, letters, strict=True):
        scores = [next(found).logps[0] for _ in names]
        best = max(range(len(scores)), key=scores.__getitem__)
        values.append((float(best == question.answer), 1.0))
    step(len(questions))
    return values


def _rewards(scoring: Scoring, planned: Sequence[ColumnPlan], columns: Sequence[Measured]) -> None:
    """Implicit rewards beta x log-ratio against the run's own base (Rafailov et al. 2023)."""
    bases = {plan.column.model: columns[plan.index] for plan in reversed(planned) if not plan.run}
    for plan in planned:
        column, base = columns[plan.index], bases.get(plan.column.model)
        if plan.run is None or base is None or not (column.pairs and base.pairs):
            continue  # without a base there is nothing to be rewarded over
        own = getattr(plan.recipe, "beta", None)
        beta = scoring.request.beta or own or 0.1
        margins = [
            beta * ((chosen - chosen_0) - (rejected - rejected_0))
            for (chosen, rejected), (chosen_0, rejected_0) in zip(
                column.pairs, base.pairs, strict=True
            )
        ]
        wanted = scoring.request.metrics
        if "reward_margin" in wanted:
            column.values["reward_margin"] = [(margin, 1.0) for margin in margins]
        if "reward_accuracy" in wanted:
            column.values["reward_accuracy"] = [(float(margin > 0), 1.0) for margin in margins]
