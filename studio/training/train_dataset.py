"""What a run reads: its rows, its parent's adapter, its sample prompts. No torch here."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from studio.core import rendering
from studio.core.errors import ConfigError, DataError
from studio.data import DatasetStore, PreparedDataset
from studio.rewards import WeightedReward
from studio.runs.objectives import OBJECTIVES, conversion
from studio.runs.recipe import Recipe
from studio.runs.store import Run
from studio.training import online_rl

if TYPE_CHECKING:
    from datasets import Dataset


def check_fit(recipe: Recipe, dataset: PreparedDataset) -> None:
    """Raise `DataError` for a dataset of the wrong type, naming the types that fit."""
    objective = OBJECTIVES[recipe.objective]
    if dataset.type not in objective.types:
        kinds = " or ".join(objective.types).replace("_", " ")
        instead = conversion(recipe.objective, dataset.type)
        raise DataError(
            f"{dataset.name} holds {dataset.type.replace('_', ' ')} rows, and "
            f"{objective.label} learns from {kinds} rows. "
            f"{instead[0].upper()}{instead[1:]}."
        )
    if recipe.completion_only_loss and dataset.type != "prompt_completion":
        raise DataError(
            f"completion_only_loss needs rows with a prompt and a completion, and {dataset.name} "
            f"holds {dataset.type.replace('_', ' ')} rows; leave it empty."
        )
    if recipe.objective == "sft" and dataset.type == "language_modeling":
        for name in ("assistant_only_loss", "mask_history"):
            if getattr(recipe, name):
                raise DataError(f"{name} needs chats, and {dataset.name} holds plain text.")
    asks = recipe.mask_history and not recipe.assistant_only_loss
    if asks and dataset.type == "prompt_completion":
        raise DataError(
            "mask_history is read only where answers alone are trained: set assistant_only_loss to "
            f"true for the prompts and completions of {dataset.name}, or turn mask_history off."
        )


def check_trackers(recipe: Recipe) -> None:
    """Raise for a tracker that is not installed; none is among the requirements."""
    for name in recipe.report_to:
        if find_spec(name) is None:
            raise ConfigError(
                f"report_to names {name}, which is not installed here; `pip install {name}`, or "
                "leave it out."
            )


def rows_for(recipe: Recipe, run: Run, datasets: DatasetStore) -> tuple[Dataset, Dataset | None]:
    """The training and the held-out rows; a `DataError` where the objective cannot use them."""
    prepared = datasets.get(run.data.get("id") or recipe.dataset_name)
    check_fit(recipe, prepared)
    evaluation = prepared.load("test") if prepared.rows.get("test") else None
    if OBJECTIVES[recipe.objective].rewarded:
        mix = WeightedReward(recipe.reward_funcs, recipe.reward_weights)
        train = online_rl.to_prompts(prepared.load("train"), mix)
        held_out = evaluation if recipe.eval_steps or recipe.load_best_model_at_end else None
        return train, online_rl.to_prompts(held_out, mix) if held_out is not None else None
    held_out = _trl_columns(evaluation, recipe) if evaluation is not None else None
    return _trl_columns(prepared.load("train"), recipe), held_out


def _trl_columns(rows: Dataset, recipe: Recipe) -> Dataset:
    """Only the columns TRL reads: provenance beside them would confuse its collators.

    A `margin` (from the strength of votes) is the reward model's alone.
    """
    known = {"text", "messages", "prompt", "completion", "chosen", "rejected", "label", "tools"}
    known |= {rendering.COLUMN} | ({"margin"} if recipe.objective == "reward" else set())
    rows = rows.select_columns([name for name in rows.column_names if name in known])
    return _with_kwargs(rows, recipe.chat_template_kwargs)


def _with_kwargs(rows: Dataset, defaults: Mapping[str, Any]) -> Dataset:
    """Rows with the recipe's `chat_template_kwargs` in their column, which TRL reads; unchanged
    where neither has any."""
    if not defaults and rendering.COLUMN not in rows.column_names:
        return rows
    from datasets import Features, Json

    features = Features({**rows.features, rendering.COLUMN: Json()})
    return rows.map(
        lambda row: {rendering.COLUMN: rendering.kwargs(row, defaults)},
        features=features,
        load_from_cache_file=False,
        new_fingerprint=secrets.token_hex(8),
    )


def sample_every(recipe: Recipe, steps: int) -> int:
    """Steps between sample answers; 0 for none."""
    if recipe.sample_steps is not None:
        return recipe.sample_steps
    return max(1, -(-steps // 6))
