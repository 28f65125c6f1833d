"""What generated an answer: model, run, weights, recipe and sampling, as stored with each vote."""

from __future__ import annotations

import contextlib
import hashlib
from typing import TYPE_CHECKING, Any

from studio.core.errors import ConfigError
from studio.generation.request import LIVE, Column, Sampling
from studio.runs.methods import METHODS

if TYPE_CHECKING:
    from studio.runs.store import Run, RunStore


def source_of(runs: RunStore, column: Column, sampling: Sampling) -> dict[str, Any]:
    """What generated a column's answers, as it is stored beside a vote and in exported rows.

    A run that was deleted since keeps its id, without adapter and recipe.
    """
    sampling = column.sampling or sampling
    run = None
    if column.run:
        with contextlib.suppress(ConfigError):
            run = runs.get(column.run)
    return {
        "label": column.label or (run.name if run else column.model),
        "model": column.model,
        "run": column.run,
        "adapter": adapter_path(run, column.checkpoint) if run else None,
        "checkpoint": column.checkpoint,
        "recipe": recipe_digest(run) if run else None,
        "sampling": sampling.model_dump(mode="json"),
        "seed": sampling.seed,
    }


def adapter_path(run: Run, checkpoint: int | str | None = None) -> str | None:
    """A run's adapter (or that of a checkpoint), relative to the workspace.

    None for a full fine-tune, which has none, and for a run in progress, whose adapter is in
    memory.
    """
    if run.adapter is None and not METHODS[run.method].adapter:
        return None
    if isinstance(checkpoint, int):
        return f"runs/{run.id}/checkpoints/checkpoint-{checkpoint}"
    return f"runs/{run.id}/adapter" if run.adapter and checkpoint != LIVE else None


def recipe_digest(run: Run) -> str:
    """The first twelve hex digits of the recipe's SHA-256."""
    return hashlib.sha256(run.recipe.to_yaml().encode()).hexdigest()[:12]
