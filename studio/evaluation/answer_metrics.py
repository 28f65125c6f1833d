"""Metrics of what the columns answer: one generation for all of them, then a measure of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from studio.core.errors import Cancelled, DataError
from studio.evaluation import request
from studio.evaluation.column_values import Measured, Value, Wrong, in_column
from studio.evaluation.request import Scoring
from studio.generation import engine, judge_reward
from studio.generation.request import Generation, GenerationRequest
from studio.metrics import text, tool_calls
from studio.models.pool import ModelPool
from studio.runs.store import RunStore

_RIGHT_OR_WRONG = ("right_tool", "numeric_match", "contains", "exact_match", "regex")
"""Metrics by which an answer may be wrong; the first of those asked for decides. An answer in a
sentence that holds the reference is not wrong, though no exact match."""


def measure(scoring: Scoring, columns: list[Measured], pool: ModelPool, runs: RunStore) -> None:
    """Let every column answer every prompt in one generation, and measure the answers."""
    asked = scoring.request
    rows = asked.rows.asked()
    pairs = [pair for pair in rows if pair is not None]
    if not pairs:
        raise DataError(
            f"No row of {asked.rows.name} asks anything, so there is nothing to answer."
        )
    generation = written(
        scoring,
        GenerationRequest(
            tuple(prompt for prompt, _ in pairs),
            asked.columns,
            asked.sampling,
            batch_size=asked.batch_size,
        ),
        pool,
        runs,
    )
    references = [known for _, known in pairs]
    for column, cells in zip(columns, generation.snapshot().answers, strict=True):
        failed = next((cell.error for cell in cells if cell.error), None)
        if failed and all(cell.error for cell in cells):
            column.error = failed
            continue
        for name in asked.metrics:
            if name in request.GENERATED and name not in ("distinct_2", "reward"):
                values = iter(_measured(name, cells, references, asked))
                column.values[name] = [next(values) if row is not None else None for row in rows]
        column.wrong = _wrong(column, rows, cells)
        if "reward" in asked.metrics:
            in_column(
                column,
                lambda column=column, cells=cells: column.values.update(
                    reward=_rewarded(asked, cells, pool, runs)
                ),
            )
        if "distinct_2" in asked.metrics:
            column.overall["distinct_2"] = text.distinct([cell.text for cell in cells])


def _wrong(column: Measured, rows: Sequence[Any], cells: Sequence[Any]) -> Wrong | None:
    """The answers to which the metric that decides gives nothing."""
    metric = next((name for name in _RIGHT_OR_WRONG if name in column.values), None)
    if metric is None:
        return None
    asked = [(at, row[0]) for at, row in enumerate(rows) if row is not None]
    found = Wrong(metric)
    for (at, prompt), cell in zip(asked, cells, strict=True):
        value = column.values[metric][at]
        if value is not None and not value[0] and cell.text.strip():  # empty: nothing to explain
            found.add(at, prompt, cell.text)
    return found


def written(
    scoring: Scoring, asked: GenerationRequest, pool: ModelPool, runs: RunStore
) -> Generation:
    """Every answer to a request, each of them a step of the scoring."""
    generation = _Counted(asked, scoring)
    elsewhere = [at for at, column in enumerate(asked.columns) if column.endpoint]
    if elsewhere:
        from studio.generation import openai_endpoint

        generation.parts += len(elsewhere)
        openai_endpoint.start(generation, elsewhere)
    generation.run(lambda: engine.generate(generation, pool, runs))
    generation.wait()
    if scoring.cancelled:
        raise Cancelled("The scoring was stopped.")
    return generation


def _rewarded(
    asked: request.ScoreRequest, cells: Sequence[Any], pool: ModelPool, runs: RunStore
) -> list[Value]:
    """The reward of every row's answer; None for a row that asks nothing or got none."""
    from studio.models.reward_model import loaded
    from studio.rewards import references

    ask = judge_reward.ask_here(pool, runs)
    judges = judge_reward.scorers(
        asked.rewards, "", judge_reward.BUDGET, runs, ask, runs.workspace.cache
    )
    mix = loaded(asked.rewards, None, pool, runs, judges)
    found: list[Value] = [None] * len(asked.rows.rows)
    answers = iter(cells)
    cases = []
    for at, (row, pair) in enumerate(zip(asked.rows.rows, asked.rows.asked(), strict=True)):
        if pair is not None and not (cell := next(answers)).error:
            cases.append((at, pair[0], cell.written, references(row, mix.columns)))
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
    value = _measure_of(name, asked)
    values: list[Value] = []
    for cell, known in zip(cells, references, strict=True):
        compared = name in request.REFERENCED or name in request.CALLED
        missing = cell.error or (compared and not known)
        if name in request.CALLED:
            missing = missing or not tool_calls.called(known)
        values.append(None if missing else (value(cell, known), 1.0))
    return values


def _measure_of(name: str, asked: Any) -> Callable[[Any, tuple[str, ...]], float]:
    """What gives an answer's value, from the answer and its references."""
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
        "length": lambda cell, _: float(cell.answer_tokens),
        "repeated_4grams": lambda cell, _: text.repeated(cell.text),
        "empty_rate": lambda cell, _: text.empty(cell.text),
        "refusal_rate": lambda cell, _: text.refusal(cell.text),
        "cut_thoughts": lambda cell, _: float(cell.cut_thought),
        "right_tool": lambda cell, known: tool_calls.right_tool(cell.text, known),
        "right_arguments": lambda cell, known: tool_calls.right_arguments(cell.text, known),
        "valid_json": lambda cell, _: tool_calls.valid_json(cell.text),
    }[name]
