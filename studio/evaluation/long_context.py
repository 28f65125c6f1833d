"""What a run makes of a longer context: losses by position, and facts hidden at every depth.

Three columns side by side: the base as it is, the base with the run's `rope_parameters` alone, and
the run. Rows are read whole, up to the length asked for, whatever a column was made for. Runs in
the worker's thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from studio.core.errors import ConfigError, DataError
from studio.evaluation import forward, needles
from studio.evaluation.eval_rows import ScoreRows
from studio.evaluation.forward import Given
from studio.generation import column_models
from studio.generation.column_models import ColumnModel
from studio.generation.request import Column, Sampling
from studio.models.pool import ModelPool
from studio.runs.store import Run, RunStore

MOST = 1 << 17


@dataclass(frozen=True)
class Bin:
    """Mean loss in nats of the tokens at places `start` to `end` of their rows, the end not
    included; None where no row reaches so far."""

    start: int
    end: int
    loss: float | None
    tokens: int


@dataclass(frozen=True)
class LongRequest:
    """`length` in tokens; `bins` for the losses; `trials` facts a cell of the grid, 0 for none: a
    pass key of so many `digits`, or the prompt and answer of one of the rows in `facts`."""

    run: str
    rows: ScoreRows
    length: int
    bins: int = 8
    trials: int = 4
    digits: int = 4
    facts: ScoreRows | None = None

    def checked(self) -> LongRequest:
        """Itself, or a `ConfigError` for what cannot be measured."""
        if not 64 <= self.length <= MOST:
            raise ConfigError(f"length is {self.length:,}; choose 64 to {MOST:,} tokens.")
        if not 1 <= self.bins <= 64 or not 0 <= self.trials <= 100:
            raise ConfigError("Choose 1 to 64 bins, and 0 to 100 trials.")
        if not 1 <= self.digits <= len(needles.DIGITS):
            raise ConfigError(f"digits is {self.digits}; choose 1 to {len(needles.DIGITS)}.")
        return self


def measure(
    asked: LongRequest,
    pool: ModelPool,
    runs: RunStore,
    step: Callable[[int, str], None] = lambda count, text: None,
) -> dict[str, Any]:
    """Losses by position and the needle grid of every column, JSON-able.

    Raises `DataError` where the rows hold no text.
    """
    run = runs.get(asked.run)
    facts = needles.facts_of(asked.facts) if asked.facts else []
    columns: list[dict[str, Any]] = []
    for label, loaded in compared(run, pool, runs):
        step(0, f"Reading rows, {label}")
        texts = encoded(asked.rows, loaded, asked.length)
        bins = by_position(loaded, texts, asked.length, asked.bins)
        column: dict[str, Any] = {"label": label, "bins": [asdict(each) for each in bins]}
        if asked.trials:
            lengths = lengths_up_to(asked.length)
            hiding = partial(step, 0, f"Hiding facts, {label}")
            cells = needles.grid(loaded, texts, lengths, asked.trials, asked.digits, facts, hiding)
            column["needles"] = [asdict(each) for each in cells]
            column["by_length"] = [asdict(each) for each in needles.by_length(cells)]
        columns.append(column)
        step(1, label)
    return {
        "run": run.id,
        "name": run.name,
        "rows": asked.rows.name,
        "length": asked.length,
        "digits": asked.digits,
        "facts": asked.facts.name if asked.facts else None,
        "columns": columns,
    }


def compared(run: Run, pool: ModelPool, runs: RunStore) -> Iterator[tuple[str, ColumnModel]]:
    """Base, base with the run's RoPE alone (where it has one), and the run, each when it is due."""
    columns = (Column(run.model, label="base"), Column(run.model, run.id, label=run.name))
    planned, wrong = column_models.plans(columns, Sampling(), runs)
    if wrong:
        raise ConfigError(next(iter(wrong.values())))
    base = column_models.ready(planned[0], pool, runs)
    yield "base", base
    if run.recipe.rope_parameters:
        yield "base, scaled", replace(base, resident=pool.base_of(run.recipe, runs))
    yield run.name, column_models.ready(planned[1], pool, runs)


def encoded(rows: ScoreRows, loaded: ColumnModel, length: int) -> list[list[int]]:
    """Token ids of every row as the trainer sees it, cut at `length`."""
    from studio.data.tokens.token_view import render

    found: list[list[int]] = []
    for row in rows.rows:
        views = render(
            row,
            rows.type,
            loaded.tokenizer,
            max_length=length,
            chat_template_kwargs=loaded.defaults,
        )
        found += [[token.id for token in view.tokens[: view.kept]] for view in views[:1]]
    found = [ids for ids in found if len(ids) > 1]
    if not found:
        raise DataError(f"{rows.name} has no text to read; choose rows that train.")
    return found


def by_position(
    loaded: ColumnModel, texts: Sequence[list[int]], length: int, bins: int
) -> list[Bin]:
    """Mean loss of all tokens, prompts too, by their place in `bins` equal parts of `length`."""
    sequences = [Given(ids, [False] + [True] * (len(ids) - 1)) for ids in texts]
    sums, counts = [0.0] * bins, [0] * bins
    for read in forward.read(loaded, sequences):
        for place, logp in enumerate(read.logps, start=1):
            at = min(bins - 1, place * bins // length)
            sums[at] -= logp
            counts[at] += 1
    edges = [-(-length * at // bins) for at in range(bins + 1)]
    return [
        Bin(edges[at], edges[at + 1], sums[at] / counts[at] if counts[at] else None, counts[at])
        for at in range(bins)
    ]


def lengths_up_to(length: int) -> list[int]:
    """Quarters of a length."""
    return [length * quarter // 4 for quarter in range(1, 5)]
