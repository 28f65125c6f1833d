"""What a run reads: its rows, its parent's adapter, its sample prompts. No torch here."""

from __future__ import annotations

from typing import Any

from studio.data import DatasetStore, PreparedDataset
from studio.errors import ConfigError, DataError, TrainingError
from studio.recipe import OBJECTIVE_TYPES, Recipe
from studio.training.runs import Run, RunStore

_SAMPLE_PROMPTS = 3


def check_fit(recipe: Recipe, dataset: PreparedDataset) -> None:
    """Refuse a dataset that the objective cannot learn from, saying what would work."""
    wanted = OBJECTIVE_TYPES[recipe.objective]
    if dataset.type not in wanted:
        kinds = " or ".join(wanted).replace("_", " ")
        raise DataError(
            f"{dataset.name} holds {dataset.type.replace('_', ' ')} rows, and "
            f"{recipe.objective.upper()} learns from {kinds} rows. "
            "Choose another dataset, or another objective."
        )


def rows_for(recipe: Recipe, run: Run, datasets: DatasetStore) -> tuple[Any, Any]:
    """The training and the held-out rows; a `DataError` where the objective cannot use them."""
    prepared = datasets.get(run.data.get("id") or recipe.dataset_name)
    check_fit(recipe, prepared)
    evaluation = prepared.load("test") if prepared.rows.get("test") else None
    return _trl_columns(prepared.load("train")), _trl_columns(evaluation)


def _trl_columns(rows: Any) -> Any:
    """Only the columns TRL reads: provenance beside them would confuse its collators."""
    if rows is None:
        return None
    known = {"text", "messages", "prompt", "completion", "chosen", "rejected", "label", "tools"}
    return rows.select_columns([name for name in rows.column_names if name in known])


def parent_adapter(recipe: Recipe, store: RunStore) -> Any:
    """Folder of the adapter to go on from; a sentence where there is none, or not for this base."""
    if not recipe.start_from:
        return None
    parent = store.get(recipe.start_from)
    if parent.adapter is None:
        raise TrainingError(f"{parent.name} has no adapter to start from; it is {parent.state}.")
    if parent.model != recipe.model_name_or_path:
        raise ConfigError(
            f"{parent.name} was trained on {parent.model}, so a run that starts from it needs "
            f"model_name_or_path: {parent.model} (not {recipe.model_name_or_path})."
        )
    return parent.adapter


def sample_every(recipe: Recipe, steps: int) -> int:
    """Steps between sample answers; 0 for none."""
    if recipe.sample_steps is not None:
        return recipe.sample_steps
    return max(1, -(-steps // 6))


def sample_prompts(rows: Any) -> list[Any]:
    """The first few prompts of the held-out rows: fixed through the run."""
    prompts = []
    for row in rows.select(range(min(_SAMPLE_PROMPTS, len(rows)))):
        if row.get("prompt"):
            prompts.append(row["prompt"])
        elif row.get("messages"):
            turns = row["messages"]
            first = next((i for i, turn in enumerate(turns) if turn["role"] == "assistant"), None)
            if first:
                prompts.append(
                    [{"role": t["role"], "content": t["content"]} for t in turns[:first]]
                )
    return prompts
