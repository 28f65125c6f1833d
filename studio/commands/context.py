"""`context`: what a run makes of a longer context than its base's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

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
    digits: Annotated[int, Param("Digits of a hidden pass key.", min=1, max=9)] = 4,
    facts: Annotated[
        str | None, Param("Hide prompts with their answers from these rows, not pass keys.")
    ] = None,
    limit: Limit = None,
    on_progress: OnProgress = silent,
) -> Json:
    """Measure losses by position, and facts found at every depth, up to a length.

    The base as it is, the base with the run's rope_parameters alone, and the run, side by side.
    Rows are read whole, all of their tokens counted: where the loss rises beyond the base's
    context, a model cannot use what lies there. For the grid a pass key, its digits all different,
    is hidden at 0, 25, 50, 75 and 100 % of a quarter, a half, three quarters and all of the length,
    among the rows' text, and asked for at the end; found means that each of its tokens was the
    first choice. With facts, a row's prompt and answer are hidden instead, and the prompt asks at
    the end. Compare's Context tab draws both.
    """
    from studio.workflows import long_context

    found = studio.runs.get(run)
    job = long_context.measure(studio, found, data, length, bins, trials, digits, limit, facts)
    return wait_for(job, on_progress, "Loading the model")
