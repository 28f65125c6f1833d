"""Reward models named in a recipe, resolved to finished runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from studio.core.errors import ConfigError
from studio.rewards import parse, sandbox
from studio.runs.objectives import OBJECTIVES

if TYPE_CHECKING:
    from studio.runs.recipe import Recipe
    from studio.runs.store import Run, RunStore


def check_scores(run: Run, waiting: bool = False) -> None:
    """Refuse a run that is not a finished reward model; with `waiting`, a live one will do."""
    if run.objective != "reward":
        raise ConfigError(
            f"{run.name} was trained with {run.objective}, and only a reward model scores answers; "
            "choose a run with objective reward."
        )
    if run.adapter is None and run.weights is None and not (waiting and run.live):
        raise ConfigError(f"The reward model {run.name} is {run.state}; finish it first.")


def check_rewards(recipe: Recipe, runs: RunStore) -> Recipe:
    """The recipe with its reward models by id; refused where it names no reward."""
    row = OBJECTIVES[recipe.objective]
    if row.teacher and not recipe.teacher_model_name_or_path:
        raise ConfigError(
            f"{row.label} learns from a teacher, and teacher_model_name_or_path is empty; name a "
            "finished run, or a model with the student's vocabulary."
        )
    if not row.rewarded:
        return recipe
    if not recipe.reward_funcs:
        raise ConfigError(
            f"{row.label} learns from rewards, and reward_funcs is empty; set it to, for instance, "
            "exact, length:1-30, or model:RUN."
        )
    if any(part.kind == "code" for part in parse(recipe.reward_funcs)):
        sandbox.check()
    return recipe.with_(reward_funcs=resolve_reward_runs(recipe.reward_funcs, runs, waiting=True))


def resolve_reward_runs(
    texts: Sequence[str], runs: RunStore, waiting: bool = False
) -> tuple[str, ...]:
    """Reward specs with reward models by id, each checked to be finished.

    With `waiting`, one that is queued or training will do: runs are trained one after another, and
    the run that needs it checks again when its turn comes.
    """
    found: list[str] = []
    for part in parse(texts):
        if part.run is None:
            found.append(part.text)
            continue
        run = runs.get(part.run)
        check_scores(run, waiting)
        found.append(f"model:{run.id}")
    return tuple(found)
