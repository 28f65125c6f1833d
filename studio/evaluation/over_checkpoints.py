"""A run followed over its checkpoints: the columns to score, and the step of each."""

from __future__ import annotations

from studio.core.errors import ConfigError
from studio.generation.request import Column
from studio.runs import checkpoints
from studio.runs.store import Run


def over_steps(run: Run) -> tuple[tuple[Column, ...], tuple[int, ...]]:
    """A run's base, its checkpoints and its result as columns, and the step of each.

    Raises `ConfigError` where the run keeps no checkpoints.
    """
    kept = checkpoints.steps(run.checkpoints)
    if not kept:
        raise ConfigError(f"{run.name} keeps no checkpoints to score; set save_steps next time.")
    columns = [Column(run.model, label="base")]
    columns += [
        Column(run.model, run.id, f"{run.name} at {step:,}", checkpoint=step) for step in kept
    ]
    if not run.live and run.step != kept[-1]:
        columns.append(Column(run.model, run.id, run.name))
        kept = [*kept, run.step]
    return tuple(columns), (0, *kept)
