"""What a run makes of a longer context, measured on rows of this workspace, as a job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from studio.core.jobs import Job
from studio.runs.objectives import OBJECTIVES
from studio.runs.store import Run

if TYPE_CHECKING:
    from studio.engine.studio import Studio
    from studio.models.pool import ModelPool


def writers(studio: Studio) -> list[Run]:
    """Finished runs that write text, those with a scaled context first, then the newest."""
    found = [
        run
        for run in studio.runs.list()
        if not OBJECTIVES[run.objective].embeds and not run.live and (run.adapter or run.weights)
    ]
    return sorted(found, key=lambda run: not run.recipe.rope_parameters)


def measure(
    studio: Studio,
    run: Run,
    data: str,
    length: int | None = None,
    bins: int = 8,
    trials: int = 4,
    digits: int = 4,
    limit: int | None = None,
    facts: str | None = None,
) -> Job[dict[str, Any]]:
    """A live job that gives losses by position and the grid of found facts, for the base, the base
    with the run's `rope_parameters` alone, and the run (`evaluation.long_context`). The facts are
    pass keys, or the prompts and answers of the rows named by `facts`.

    `length` defaults to the run's `max_length`. Raises `ConfigError` for what cannot be measured.
    """
    from studio.evaluation import load_rows
    from studio.evaluation.long_context import LongRequest
    from studio.evaluation.long_context import measure as measured

    rows = load_rows(studio.datasets, data, limit)
    hidden = load_rows(studio.datasets, facts) if facts else None
    most = length or run.recipe.max_length
    asked = LongRequest(run.id, rows, most, bins, trials, digits, hidden)
    asked.checked()
    job: Job[dict[str, Any]] = Job(kind="context")

    def work(pool: ModelPool) -> dict[str, Any]:
        job.expect(3 if run.recipe.rope_parameters else 2)
        return measured(asked, pool, studio.runs, job.step)

    return studio.worker.submit(work, job)
