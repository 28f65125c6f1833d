"""What a run starts from: the adapter it continues, or the run merged into its base."""

from __future__ import annotations

from pathlib import Path

from studio.core.errors import ConfigError, TrainingError
from studio.runs.methods import METHODS
from studio.runs.objectives import OBJECTIVES
from studio.runs.recipe import Recipe
from studio.runs.store import Run, RunStore


def parent_adapter(recipe: Recipe, store: RunStore) -> Path | None:
    """Folder of the adapter to continue; None for a run that begins a new one.

    Raises:
        ConfigError, TrainingError: nothing to start from, or not for this base or method.
    """
    if not recipe.start_from:
        return None
    parent = store.get(recipe.start_from)
    if parent.model != recipe.model_name_or_path:
        raise ConfigError(
            f"{parent.name} was trained on {parent.model}, so a run that starts from it needs "
            f"model_name_or_path: {parent.model} (not {recipe.model_name_or_path})."
        )
    if parent.objective == "reward":
        raise ConfigError(
            f"{parent.name} is a reward model; start from a run that generates answers."
        )
    encodes = OBJECTIVES[recipe.objective].embeds
    if OBJECTIVES[parent.objective].embeds and not (encodes and recipe.continues):
        raise ConfigError(
            f"{parent.name} is a text encoder; only another embedding run continues it."
        )
    if recipe.start_as == "merge":
        _check_mergeable(parent)
        return None
    if parent.adapter is None:
        raise TrainingError(f"{parent.name} has no adapter to start from; it is {parent.state}.")
    ours, theirs = METHODS[recipe.method], METHODS[parent.method]
    if ours.config != theirs.config:
        raise ConfigError(
            f"{parent.name} has a {theirs.label} adapter, which a {ours.label} run cannot "
            f"continue; set method: {parent.method}, or start_as: merge."
        )
    if recipe.quantized and "+" in parent.base:
        raise ConfigError(
            f"{parent.name} was trained on a merged base, which is in 16 bits or more; choose a "
            "method that does not quantize, such as lora."
        )
    if encodes and not OBJECTIVES[parent.objective].embeds:
        raise ConfigError(
            "A text encoder cannot continue an adapter that generates answers; set start_as: merge."
        )
    if recipe.objective == "reward":
        raise ConfigError(
            "A reward model cannot continue an adapter that generates answers; set start_as: merge."
        )
    return parent.adapter


def _check_mergeable(parent: Run) -> None:
    if parent.adapter is None and parent.weights is None:
        raise TrainingError(f"{parent.name} has nothing to merge; it is {parent.state}.")
    theirs = METHODS[parent.method]
    if theirs.prompted or parent.method == "llama_adapter":
        raise ConfigError(
            f"{parent.name} has a {theirs.label} adapter, which changes no weights and cannot be "
            "merged; start from the base, or from a LoRA run."
        )


def merged_parent(recipe: Recipe, runs: RunStore) -> Run | None:
    """The run whose result was merged into the base of a recipe's adapter, if any."""
    first = recipe
    while first.continues:
        first = runs.get(first.start_from or "").recipe
    return runs.get(first.start_from) if first.start_from else None
