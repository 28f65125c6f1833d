"""`context`: what a run makes of a longer context than its base's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from studio.commands.base import (
    Json,
    Limit,
    OnProgress,
    Param,
    Rows,
    RunName,
    command,
    silent,
    wait_for,
)

if TYPE_CHECKING:
    from studio.engine.studio import Studio
    from studio.models.pool import ModelPool


@command(read_only=True)
def context(
    studio: Studio,
    run: RunName,
    *,
    data: Rows,
    length: Annotated[
        int | None, Param("Tokens to read up to; default: the run's max_length.")
    ] = None,
    bins: Annotated[int, Param("Parts of the length to give a loss for.", min=1, max=64)] = 8,
    trials: Annotated[int, Param("Facts hidden a cell of the grid; 0: none.", min=0, max=100)] = 4,
    limit: Limit = None,
    on_progress: OnProgress = silent,
) -> Json:
    """Measure losses by position, and facts found at every depth, up to a length.

    The base as it is, the base with the run's rope_parameters alone, and the run, side by side.
    Rows are read whole, all of their tokens counted: where the loss rises beyond the base's
    context, a model cannot use what lies there. For the grid a pass key of four digits is hidden
    at 0, 25, 50, 75 and 100 % of a quarter, a half, three quarters and all of the length, among
    the rows' text, and asked for at the end; found means that each of its tokens was the first
    choice.
    """
    from studio.core.jobs import Job
    from studio.evaluation import load_rows
    from studio.evaluation.long_context import LongRequest, measure

    found = studio.runs.get(run)
    rows = load_rows(studio.datasets, data, limit)
    asked = LongRequest(found.id, rows, length or found.recipe.max_length, bins, trials).checked()
    job: Job[dict[str, Any]] = Job(kind="context")

    def work(pool: ModelPool) -> dict[str, Any]:
        return measure(asked, pool, studio.runs, job.step)

    return wait_for(studio.worker.submit(work, job), on_progress, "Loading the model")
