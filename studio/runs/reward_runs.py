"""Reward models named in a recipe, resolved to finished runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from studio.core.errors import ConfigError
from studio.rewards import parse
from studio.runs.objectives import OBJECTIVES

if TYPE_CHECKING:
    from studio.runs.recipe import Recipe
    from studio.runs.store import Run, RunStore


def check_scores(run: Run, waiting: bool = False) -> None:
    """Refuse a run that is no finished reward model, or none on its way where that will do."""
    if run.objective != "reward":
        raise ConfigError(
            f"{run.name} learned {run.objective}, and only a run of the objective reward scores "
            "answers; choose such a run."
        )
    if run.adapter is None and run.weights is None and not (waiting and run.live):
        raise ConfigError(f"The reward model {run.name} is {run.state}; finish it first.")


def check_rewards(recipe: Recipe, runs: RunStore) -> Recipe:
    """The recipe with its reward models by id; refused where there is nothing to learn from."""
    row = OBJECTIVES[recipe.objective]
    if not row.rewarded:
        return recipe
    if not recipe.reward_funcs:
        raise ConfigError(
            f"{row.label} learns from rewards, and reward_funcs names none; set it, for instance "
            "to exact, length:1-30 or model:RUN."
        )
    return recipe.with_(reward_funcs=resolve_reward_runs(recipe.reward_funcs, runs, waiting=True))


def resolve_reward_runs(
    texts: Sequence[str], runs: RunStore, waiting: bool = False
) -> tuple[str, ...]:
    """Rewards as written, their reward models by id and known to be finished.

    With `waiting` one that is still queued or trains will do: runs go one after another, and the
    one that needs it looks again when its turn comes.
    """
    found = []
    for part in parse(texts):
        if part.run is None:
            found.append(part.text)
            continue
        run = runs.get(part.run)
        check_scores(run, waiting)
        found.append(f"model:{run.id}")
    return tuple(found)
