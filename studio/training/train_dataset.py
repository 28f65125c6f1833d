"""What a run reads: its rows, its parent's adapter, its sample prompts. No torch here."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from studio.core import rendering
from studio.core.errors import ConfigError, DataError
from studio.data import DatasetStore, PreparedDataset
from studio.rewards import WeightedReward
from studio.runs.mixture import Drawn, Indices, draw
from studio.runs.objectives import OBJECTIVES, RANKING_LOSSES, conversion
from studio.runs.recipe import Recipe
from studio.runs.store import Run
from studio.training import online_rl
from studio.training.run_rows import Part, RunRows

if TYPE_CHECKING:
    from datasets import Dataset

_HELD_OUT = 64
"""Held-out rows of a mixture's dataset that are used however small its share is."""


def check_mixture(recipe: Recipe, prepared: Sequence[PreparedDataset]) -> None:
    """Raise `DataError` for datasets that a recipe cannot train on, naming the one that is wrong.

    SFT takes texts, prompts and chats together, since each is tokenized by itself; online RL takes
    whatever asks something, and an encoder whatever has two sides. Other objectives need one type.
    """
    for dataset in prepared:
        check_fit(recipe, dataset)
    first, objective = prepared[0], OBJECTIVES[recipe.objective]
    if objective.embeds:
        _check_scores(recipe, prepared)
    if recipe.objective == "sft" or objective.online or objective.embeds:
        return
    for other in prepared[1:]:
        if other.type != first.type:
            raise DataError(
                f"{first.name} holds {first.type.replace('_', ' ')} rows and {other.name} "
                f"{other.type.replace('_', ' ')} rows; {objective.label} needs the same type in "
                "all datasets of a mixture."
            )


def _check_scores(recipe: Recipe, prepared: Sequence[PreparedDataset]) -> None:
    """Raise `DataError` where an encoder's loss cannot learn from the rows of a dataset."""
    learns_scores = recipe.loss_type[0] == "CoSENTLoss"
    for dataset in prepared:
        if (dataset.type == "scored_pairs") != learns_scores:
            wanted = RANKING_LOSSES[0] if learns_scores else "CoSENTLoss"
            has = "has no scores" if learns_scores else "holds scored pairs"
            raise DataError(
                f"{dataset.name} {has}, and {recipe.loss_type[0]} cannot learn from that; set "
                f"loss_type: {wanted}."
            )


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


def datasets_of(recipe: Recipe, run: Run, datasets: DatasetStore) -> list[PreparedDataset]:
    """The datasets a run reads, by the ids in its record.

    Raises a `DataError` that names one which was deleted.
    """
    held: list[dict[str, Any]] = run.data.get("datasets") or []
    if not recipe.datasets:
        return [datasets.get(run.data.get("id") or recipe.dataset_name)]
    if not held:
        return [datasets.get(entry.path) for entry in recipe.datasets]
    found = {dataset.id: dataset for dataset in datasets.list()}
    for one in held:
        if one["id"] not in found:
            raise DataError(
                f"{one['name']}, one of the datasets of {run.name}, was deleted. Prepare it again "
                "and start a new run."
            )
    return [found[one["id"]] for one in held]


def rows_for(recipe: Recipe, run: Run, datasets: DatasetStore) -> RunRows:
    """The rows a run trains on and those held out; a `DataError` where the objective cannot use
    them."""
    prepared = datasets_of(recipe, run, datasets)
    check_mixture(recipe, prepared)
    names = metric_names([dataset.name for dataset in prepared])
    if not recipe.datasets:
        train, test = _columns(recipe, prepared[0], None)
        return RunRows((Part(names[0], prepared[0].type, train, test),))
    drawn = draw(recipe, [dataset.rows.get("train", 0) for dataset in prepared])
    parts: list[Part] = []
    places = drawn.row.copy()
    for at, dataset in enumerate(prepared):
        mine = drawn.part == at
        used, places[mine] = np.unique(drawn.row[mine], return_inverse=True)
        train, test = _columns(recipe, dataset, used)
        parts.append(Part(names[at], dataset.type, train, test))
    return RunRows(tuple(parts), Drawn(drawn.part, places))


def metric_names(names: list[str]) -> list[str]:
    """A name for each dataset as metrics have it: `eval_<name>_loss`. No two are the same."""
    found: list[str] = []
    for name in names:
        plain = re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-") or "data"
        number, free = 2, plain
        while free in found:
            free, number = f"{plain}-{number}", number + 1
        found.append(free)
    return found


def _columns(
    recipe: Recipe, dataset: PreparedDataset, used: Indices | None
) -> tuple[Dataset, Dataset | None]:
    """A dataset's training and held-out rows as TRL reads them.

    Args:
        used: the places of the training rows a mixture takes; as large a share is held out.
    """
    train = dataset.load("train")
    held_out = dataset.load("test") if dataset.rows.get("test") else None
    if used is not None:
        if held_out is not None:
            most = max(_HELD_OUT, round(len(held_out) * len(used) / len(train)))
            held_out = held_out.select(range(min(most, len(held_out))))
        train = train.select(used) if len(used) < len(train) else train
    if OBJECTIVES[recipe.objective].online:
        mix = None
        if OBJECTIVES[recipe.objective].rewarded:
            mix = WeightedReward(recipe.reward_funcs, recipe.reward_weights)
        wanted = recipe.eval_steps or recipe.load_best_model_at_end
        prompts = online_rl.to_prompts(held_out, mix) if wanted and held_out is not None else None
        return online_rl.to_prompts(train, mix), prompts
    test = _trl_columns(held_out, recipe) if held_out is not None else None
    return _trl_columns(train, recipe), test


def _trl_columns(rows: Dataset, recipe: Recipe) -> Dataset:
    """Only the columns TRL reads: provenance beside them would confuse its collators.

    A `margin` (from the strength of votes) is the reward model's alone.
    """
    known = {"text", "messages", "prompt", "completion", "chosen", "rejected", "label", "tools"}
    if OBJECTIVES[recipe.objective].embeds:
        known |= {"anchor", "positive", "negatives", "sentence1", "sentence2", "score"}
        return rows.select_columns([name for name in rows.column_names if name in known])
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
