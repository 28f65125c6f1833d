"""Every row's value of every metric, one column at a time. Runs in the worker's thread.

A value is a (total, weight) pair: a loss is summed over a row's trained tokens and weighs as many,
the rest weigh 1. None where a row has none. Columns that fail say why, and the others go on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from studio.errors import Cancelled, DataError, StudioError
from studio.generation import engine, lanes
from studio.generation.lanes import Lane, Plan
from studio.generation.request import Generation, GenerationRequest
from studio.models.pool import ModelPool, release_memory
from studio.recipe import Recipe
from studio.scoring import drift, forward, report, request, text
from studio.scoring.forward import Given, Read
from studio.scoring.request import Scoring
from studio.scoring.rows import LETTERS
from studio.training.runs import RunStore

Value = tuple[float, float] | None
_NO_MEMORY = "The device ran out of memory here; score shorter rows, or fewer columns."


@dataclass
class Measured:
    """One column: values[metric][row], figures over all rows at once, or why there are none."""

    values: dict[str, list[Value]] = field(default_factory=dict)
    overall: dict[str, float | None] = field(default_factory=dict)
    pairs: list[tuple[float, float]] = field(default_factory=list)
    """Log-probabilities of (chosen, rejected) of every pair."""
    error: str | None = None


def score(scoring: Scoring, pool: ModelPool, runs: RunStore) -> None:
    """Fill a scoring to its end; whatever goes wrong is a sentence in it."""
    scoring.run(lambda: _scored(scoring, pool, runs))


def _scored(scoring: Scoring, pool: ModelPool, runs: RunStore) -> dict[str, Any]:
    asked = scoring.request
    planned, wrong = lanes.plans(asked.columns, asked.sampling, runs)
    columns = [Measured(error=wrong.get(at)) for at in range(len(asked.columns))]
    likelihoods = set(asked.metrics) - {*request.GENERATED, request.DRIFT}
    answers = set(asked.metrics) & set(request.GENERATED)
    each = bool(likelihoods) * len(planned) + bool(answers) * len(asked.columns)
    scoring.expect(each * len(asked.rows))
    # Every column is scored on the same tokens, those the first run in play was trained on.
    recipe = next((plan.recipe for plan in planned if plan.recipe), None)
    for plan in planned if likelihoods else []:
        _in_column(columns[plan.index], lambda plan=plan: _likelihoods(
            scoring, plan, recipe, columns[plan.index], pool, runs
        ))  # fmt: skip
    if "reward_accuracy" in likelihoods or "reward_margin" in likelihoods:
        _rewards(scoring, planned, columns)
    if answers:
        _answered(scoring, columns, pool, runs)
    if request.DRIFT in asked.metrics:
        _drifted(scoring, planned, columns, pool, runs)
    return report.build(asked, columns)


def _in_column(column: Measured, work: Callable[[], None]) -> None:
    """A fault in one column stays there."""
    try:
        work()
    except Cancelled:
        raise
    except StudioError as error:
        column.error = str(error)
    except Exception as error:
        if not engine.out_of_memory(error):
            raise
        column.error = _NO_MEMORY
        release_memory()


# ---- likelihoods ---------------------------------------------------------------------------------


def _likelihoods(
    scoring: Scoring, plan: Plan, recipe: Recipe | None, column: Measured,
    pool: ModelPool, runs: RunStore,
) -> None:  # fmt: skip
    lane = lanes.ready(plan, pool, runs)
    wanted = scoring.request.metrics
    label = scoring.request.columns[plan.index].label or plan.column.model

    def step(count: int) -> None:
        scoring.step(count, f"Reading rows, {label}")

    if scoring.request.rows.questions:
        column.values["choice_accuracy"] = _choices(lane, scoring, step)
        return
    sequences = encoded(scoring.request.rows.type, scoring.request.rows.rows, lane, recipe)
    flat = [given for row in sequences for given in row]
    sides = len(sequences[0]) if sequences else 1
    found = forward.read(lane, flat, step=lambda count: step(count) if sides == 1 else None)
    if sides == 2:
        step(len(sequences))
        column.pairs = [
            (sum(found[at].logps), sum(found[at + 1].logps)) for at in range(0, len(found), 2)
        ]
        ahead = [(float(chosen > rejected), 1.0) for chosen, rejected in column.pairs]
        if "preference_accuracy" in wanted:
            column.values["preference_accuracy"] = list(ahead)
        return
    column.values |= {name: _taught(name, found) for name in request.FORWARD if name in wanted}


def _taught(metric: str, found: Sequence[Read]) -> list[Value]:
    def value(read: Read) -> Value:
        if not read.logps:
            return None
        total = sum(read.first) if metric == "token_accuracy" else -sum(read.logps)
        return total, float(len(read.logps))

    return [value(read) for read in found]


def encoded(
    type: str, rows: Sequence[dict[str, Any]], lane: Lane, recipe: Recipe | None
) -> list[list[Given]]:
    """Every row as the trainer would see it: one sequence, or a chosen and a rejected one."""
    from studio.data.rendering import render

    context = getattr(lane.resident.model.config, "max_position_embeddings", None)
    limit = recipe.max_length if recipe and recipe.max_length else context
    limit = min(limit, context) if limit and context else limit
    settings: dict[str, Any] = {"max_length": limit}
    if recipe is not None and type != "preference":
        settings |= {
            "completion_only_loss": recipe.completion_only_loss,
            "assistant_only_loss": recipe.assistant_only_loss and type == "conversational",
        }
    found = []
    for row in rows:
        views = render(row, type, lane.tokenizer, **settings)
        found.append([
            Given([t.id for t in view.tokens[: view.kept]],
                  [t.trained for t in view.tokens[: view.kept]])
            for view in views
        ])  # fmt: skip
    return found


def _choices(lane: Lane, scoring: Scoring, step: Callable[[int], None]) -> list[Value]:
    """Whether the right letter is the likeliest of the letters, one forward pass a question."""
    questions = scoring.request.rows.questions
    tokenizer = lane.tokenizer
    sequences, letters = [], []
    for question in questions:
        prompt = tokenizer(question.prompt)["input_ids"]
        # The last token of "Answer: A": the letter as it stands after a space.
        names = [tokenizer(f"{question.prompt} {letter}")["input_ids"][-1]
                 for letter in LETTERS[: len(question.options)]]  # fmt: skip
        letters.append(names)
        sequences.extend(Given([*prompt, name], [False] * len(prompt) + [True]) for name in names)
    found = iter(forward.read(lane, sequences))
    values: list[Value] = []
    for question, names in zip(questions, letters, strict=True):
        scores = [next(found).logps[0] for _ in names]
        best = max(range(len(scores)), key=scores.__getitem__)
        values.append((float(best == question.answer), 1.0))
    step(len(questions))
    return values


def _rewards(scoring: Scoring, planned: Sequence[Plan], columns: Sequence[Measured]) -> None:
    """Implicit rewards beta x log-ratio against the first base column (Rafailov et al. 2023)."""
    base = next((columns[p.index] for p in planned if p.run is None and columns[p.index].pairs),
                None)  # fmt: skip
    for plan in planned:
        column = columns[plan.index]
        if base is None or plan.run is None or not column.pairs:
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


def _drifted(
    scoring: Scoring, planned: Sequence[Plan], columns: Sequence[Measured],
    pool: ModelPool, runs: RunStore,
) -> None:  # fmt: skip
    """KL from the base: every run on it writes, and both say how likely that was."""
    asked = scoring.request
    base = next(plan for plan in planned if plan.run is None)
    moved = [plan for plan in planned if plan.run and plan.column.model == base.column.model]
    rows = asked.rows.asked()
    prompts = tuple(pair[0] for pair in rows if pair is not None)
    scoring.expect(len(prompts) * len(moved))
    wrote = _Counted(
        GenerationRequest(
            prompts, tuple(plan.column for plan in moved), drift.sampling_for(asked.sampling),
            batch_size=asked.batch_size,
        ),
        scoring,
    )  # fmt: skip
    engine.generate(wrote, pool, runs)
    wrote.wait()
    if scoring.cancelled:
        raise Cancelled("The scoring was stopped.")

    def measure(at: int, plan: Plan) -> None:
        values = iter(drift.kl(plan, base, prompts, wrote, at, pool, runs))
        columns[plan.index].values[request.DRIFT] = [
            next(values) if row is not None else None for row in rows
        ]

    for at, plan in enumerate(moved):
        _in_column(columns[plan.index], lambda at=at, plan=plan: measure(at, plan))


# ---- answers -------------------------------------------------------------------------------------


def _answered(scoring: Scoring, columns: list[Measured], pool: ModelPool, runs: RunStore) -> None:
    """Let every column answer every prompt in one generation, and measure the answers."""
    asked = scoring.request
    rows = asked.rows.asked()
    pairs = [pair for pair in rows if pair is not None]
    if not pairs:
        raise DataError(
            f"No row of {asked.rows.name} asks anything, so there is nothing to answer."
        )
    generation = _Counted(
        GenerationRequest(
            tuple(prompt for prompt, _ in pairs), asked.columns, asked.sampling,
            batch_size=asked.batch_size,
        ),
        scoring,
    )  # fmt: skip
    elsewhere = [at for at, column in enumerate(asked.columns) if column.endpoint]
    if elsewhere:
        from studio.generation import endpoint

        generation.parts += len(elsewhere)
        endpoint.start(generation, elsewhere)
    engine.generate(generation, pool, runs)
    generation.wait()
    if scoring.cancelled:
        raise Cancelled("The scoring was stopped.")
    for column, cells in zip(columns, generation.snapshot().answers, strict=True):
        failed = next((cell.error for cell in cells if cell.error), None)
        if failed and all(cell.error for cell in cells):
            column.error = failed
            continue
        references = [answers for _, answers in pairs]
        for name in asked.metrics:
            if name in request.GENERATED and name not in ("distinct_2", "reward"):
                values = iter(_measured(name, cells, references, asked))
                column.values[name] = [next(values) if row is not None else None for row in rows]
        if "reward" in asked.metrics:
            _in_column(column, lambda column=column, cells=cells: column.values.update(
                reward=_rewarded(asked, cells, pool, runs)
            ))  # fmt: skip
        if "distinct_2" in asked.metrics:
            column.overall["distinct_2"] = text.distinct([cell.text for cell in cells])


def _rewarded(
    asked: request.ScoreRequest, cells: Sequence[Any], pool: ModelPool, runs: RunStore
) -> list[Value]:  # fmt: skip
    """The reward of every row's answer; None for a row that asks nothing or got none."""
    from studio.rewards import references
    from studio.rewards.model import loaded

    mix = loaded(asked.rewards, None, pool, runs)
    found: list[Value] = [None] * len(asked.rows.rows)
    answers = iter(cells)
    cases = []
    for at, (row, pair) in enumerate(zip(asked.rows.rows, asked.rows.asked(), strict=True)):
        if pair is not None and not (cell := next(answers)).error:
            cases.append((at, pair[0], cell.text, references(row, mix.columns)))
    graded = mix.grade(*([list(part) for part in zip(*cases, strict=True)][1:] or ([], [], [])))
    for (at, *_), one in zip(cases, graded, strict=True):
        found[at] = (one.total, 1.0)
    return found


class _Counted(Generation):
    """A generation whose ended cells count as steps, and which a cancelled scoring ends."""

    def __init__(self, asked: GenerationRequest, scoring: Scoring):
        super().__init__(asked)
        self._scoring = scoring

    @property
    def cancelled(self) -> bool:
        return self._scoring.cancelled or super().cancelled

    def put(self, column: int, prompt: int, **changes: Any) -> None:
        super().put(column, prompt, **changes)
        if changes.get("ended"):
            self._scoring.done += 1
            self._scoring.what = "Answering"


def _measured(
    name: str, cells: Sequence[Any], references: Sequence[tuple[str, ...]], asked: Any
) -> list[Value]:
    measure = _measure(name, asked)
    values: list[Value] = []
    for cell, known in zip(cells, references, strict=True):
        missing = cell.error or (name in request.REFERENCED and not known)
        values.append(None if missing else (measure(cell, known), 1.0))
    return values


def _measure(name: str, asked: Any) -> Callable[[Any, tuple[str, ...]], float]:
    """A function of (answer, references) for a metric of answers."""
    extract = text.extractor(asked.extractor)
    wanted = text.pattern(asked.pattern) if name == "regex" else None
    return {
        "exact_match": lambda cell, known: text.exact_match(
            extract(cell.text), [extract(each) for each in known]
        ),
        "numeric_match": lambda cell, known: text.numeric_match(
            extract(cell.text), [extract(each) for each in known]
        ),
        "contains": lambda cell, known: text.contains(cell.text, [extract(e) for e in known]),
        "rouge_l": lambda cell, known: text.rouge_l(cell.text, known),
        "regex": lambda cell, _: float(wanted is not None and bool(wanted.search(cell.text))),
        "length": lambda cell, _: float(cell.tokens),
        "repeated_4grams": lambda cell, _: text.repeated(cell.text),
        "empty_rate": lambda cell, _: text.empty(cell.text),
        "refusal_rate": lambda cell, _: text.refusal(cell.text),
    }[name]
