"""How fast earlier runs of the same shape trained on this machine, from their event logs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from studio.runs.recipe import Recipe
    from studio.runs.store import Run

_SHAPE = (
    "model_name_or_path",
    "objective",
    "method",
    "max_length",
    "per_device_train_batch_size",
    "activation_checkpointing",
    "packing",
    "quantized",
)
_ENOUGH = 3


@dataclass(frozen=True)
class Speed:
    """`tokens_per_second` are the rows' own tokens, without padding; `run` is the run's name."""

    tokens_per_second: float
    run: str


def earlier_speed(runs: Iterable[Run], recipe: Recipe) -> Speed | None:
    """The newest run of the recipe's shape that logged its tokens, or None.

    `runs` newest first, as `RunStore.list` gives them.
    """
    for run in runs:
        alike = run.model == recipe.model_name_or_path and run.method == recipe.method
        if not alike or run.objective != recipe.objective or run.state == "queued":
            continue
        before = run.recipe
        if any(getattr(before, name) != getattr(recipe, name) for name in _SHAPE):
            continue
        speed = _of_events(run.events()[0])
        if speed:
            return Speed(speed, run.name)
    return None


def _of_events(events: Iterable[dict[str, Any]]) -> float | None:
    """The median over the intervals between two logs, without the first, which warms up."""
    points = [
        (event["time"], event["num_tokens"])
        for event in events
        if event.get("kind") == "log" and "num_tokens" in event
    ]
    speeds = [
        (after[1] - before[1]) / (after[0] - before[0])
        for before, after in pairwise(points)
        if after[0] > before[0] and after[1] > before[1]
    ][1:]
    return median(speeds) if len(speeds) >= _ENOUGH else None
