"""From questions to rows: a run's own, then those of the run that it started from.

Runs in the worker's thread; an index that is missing is built first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from studio.attribution import build, question, report, run_loss
from studio.attribution.index_files import Index
from studio.attribution.per_row import only_graph, row_gradients, trained_parts
from studio.attribution.projection import unit
from studio.attribution.request import (
    MOST_TARGETS,
    Asked,
    Indexing,
    IndexSpec,
    Why,
    default_spec,
    refusal,
)
from studio.core.errors import ConfigError, StudioError
from studio.data import DatasetStore, PreparedDataset
from studio.models.pool import ModelPool
from studio.runs.objectives import OBJECTIVES
from studio.runs.store import Run, RunStore
from studio.training.train_dataset import datasets_of

_ASKED = MOST_TARGETS
"""Held-out rows that are asked about at most."""


def ask(
    job: Why,
    run: Run,
    spec: IndexSpec,
    count: int,
    pool: ModelPool,
    runs: RunStore,
    datasets: DatasetStore,
    serve: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """The rows behind an answer, or behind several: `learned` has an entry for each run of the
    chain, newest first, each with its rows or with why it has none."""
    _check_answers(run)
    asked = job.asked
    loaded = question.column_of(run, -1, pool, runs)
    tuned, base = question.likelihoods(asked[0], loaded)
    learned = []
    for place, one in enumerate(chain(run, runs)):
        entry = {"run": one.id, "name": one.name, "objective": one.objective, "parent": place > 0}
        try:
            own = spec if place == 0 else _for_parent(spec, one)
            found = _learned(job, one, own, count, pool, runs, datasets, serve)
        except StudioError as why:
            if place == 0 and refusal(one) is None:
                raise
            found = {"said": str(why), "for": [], "against": [], "datasets": []}
        learned.append(entry | found)
    return {
        "run": run.id,
        "name": run.name,
        "prompt": asked[0].prompt,
        "answer": asked[0].answer,
        "questions": len(asked),
        "base": report.beside_base(tuned, base),
        "learned": learned,
    }


def _check_answers(run: Run) -> None:
    if OBJECTIVES[run.objective].answers:
        return
    what = "a reward model: it scores answers" if run.objective == "reward" else "an encoder"
    raise ConfigError(
        f"{run.name} is {what} and writes none. Ask which of its rows help or harm its own "
        "held-out ones (`influence RUN` without a target)."
    )


def chain(run: Run, runs: RunStore) -> list[Run]:
    """A run and those that it started from, newest first; a parent that is gone ends it."""
    found = [run]
    while parent := found[-1].recipe.start_from:
        try:
            found.append(runs.get(parent))
        except StudioError:
            break
    return found


def _for_parent(spec: IndexSpec, parent: Run) -> IndexSpec:
    """The same for the parent's rows, which are asked plainly where it keeps no moments."""
    if spec.precondition and not default_spec(parent).precondition:
        return replace(spec, precondition=False)
    return spec


def _learned(
    job: Why,
    run: Run,
    spec: IndexSpec,
    count: int,
    pool: ModelPool,
    runs: RunStore,
    datasets: DatasetStore,
    serve: Callable[[], None],
) -> dict[str, Any]:
    if why := refusal(run):
        raise ConfigError(why)
    indexes = _indexes(job, run, spec, pool, runs, datasets, serve)
    loaded_columns = [question.column_of(run, point, pool, runs) for point in spec.points]
    sources = datasets_of(run.recipe, run, datasets)
    whole = _ranked(job.asked, indexes, loaded_columns, sources, count)
    if len(job.asked) > 1:
        each = [_ranked([asked], indexes, loaded_columns, sources, count) for asked in job.asked]
        whole["behind"] = report.together(each, count)
    return whole


def _ranked(
    asked: Sequence[Asked],
    indexes: list[Index],
    loaded_columns: list[Any],
    sources: Sequence[PreparedDataset],
    count: int,
) -> dict[str, Any]:
    found = question.scores(indexes, question.vectors(asked, indexes, loaded_columns)).numpy()
    texts = [text for one in asked for text in (_asked_text(one), one.answer)]
    return report.ranked(
        found,
        indexes,
        sources,
        report.words_of(*texts),
        count,
        len(asked) == 1 and asked[0].span is not None,
    )


def _asked_text(asked: Asked) -> str:
    prompt = asked.prompt
    return prompt if isinstance(prompt, str) else str(prompt[-1].get("content") or "")


def _indexes(
    job: Why,
    run: Run,
    spec: IndexSpec,
    pool: ModelPool,
    runs: RunStore,
    datasets: DatasetStore,
    serve: Callable[[], None],
) -> list[Index]:
    """The indexes of a run, built under the question's own progress."""
    building = Indexing()

    def told() -> None:
        job.started = job.started or building.started
        job.report(building.done, building.total, building.what)
        serve()

    return build.build(building, run, spec, pool, runs, datasets, told)


def influence(
    job: Why,
    run: Run,
    spec: IndexSpec,
    pool: ModelPool,
    runs: RunStore,
    datasets: DatasetStore,
    serve: Callable[[], None] = lambda: None,
) -> dict[str, NDArray[Any]]:
    """For every training row: `places` [rows, 3], its `own` influence (the squared norm of its
    gradient), and its `help`: how far it pulled the loss of the target down (above 0), or pushed it
    up. The target are the job's questions, else the run's held-out rows; without either there is no
    `help`. A wrong row shows in the length of its gradient too, so `help` is the product with the
    whole gradient and no cosine."""
    if why := refusal(run):
        raise ConfigError(why)
    if job.asked:
        _check_answers(run)
    indexes = _indexes(job, run, spec, pool, runs, datasets, serve)
    norms = np.mean([index.norms() for index in indexes], axis=0)
    found: dict[str, NDArray[Any]] = {"places": np.array(indexes[0].places()), "own": norms**2}
    if job.asked:
        loaded_columns = [question.column_of(run, point, pool, runs) for point in spec.points]
        done, total = 0, len(job.asked) * len(indexes)

        def told(more: int) -> None:
            nonlocal done
            done += more
            job.report(done, total, "Reading the target")
            serve()

        target = question.vectors(job.asked, indexes, loaded_columns, told)
        found["help"] = question.scores(indexes, target).numpy() * norms
    elif any(one.rows.get("test") for one in datasets_of(run.recipe, run, datasets)):
        held = held_out(run, indexes, spec, pool, runs, datasets, serve)
        found["help"] = question.scores(indexes, held).numpy() * norms
    return found


def held_out(
    run: Run,
    indexes: list[Index],
    spec: IndexSpec,
    pool: ModelPool,
    runs: RunStore,
    datasets: DatasetStore,
    serve: Callable[[], None] = lambda: None,
) -> list[torch.Tensor]:
    """The mean gradient of a run's held-out rows under the run's own loss, at every point."""
    rows = run_loss.made(run, runs, datasets, pool, held_out=True)
    rows.load(run, spec.points[0])
    trained = trained_parts(rows.model)
    asked = list(range(len(rows)))[:_ASKED]
    found = []
    for index, point in zip(indexes, spec.points, strict=True):
        if point != spec.points[0]:
            rows.load(run, point)
        projector = question.projector_of(index, rows.model.device)
        total = torch.zeros(index.dims)
        with only_graph(rows.model, trained):
            for start in range(0, len(asked), rows.batch_size):
                part = asked[start : start + rows.batch_size]
                each = row_gradients(
                    trained,
                    projector,
                    len(part),
                    lambda at, part=part: rows.loss([part[one] for one in at]),
                )
                total += unit(each)[0].sum(0).cpu()
                serve()
        found.append(unit(total[None])[0][0])
    return found
