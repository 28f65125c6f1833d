"""What a run reads: its rows, its parent's adapter, its sample prompts. No torch here."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from studio.data import DatasetStore, PreparedDataset
from studio.errors import ConfigError, DataError, TrainingError
from studio.recipe import Recipe
from studio.rewards import Mix
from studio.training import reinforcement
from studio.training.methods import METHODS
from studio.training.objectives import OBJECTIVES, conversion
from studio.training.runs import Run, RunStore

_SAMPLE_PROMPTS = 3


def check_fit(recipe: Recipe, dataset: PreparedDataset) -> None:
    """Refuse a dataset that the objective cannot learn from, saying what would work."""
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
            f"holds {dataset.type.replace('_', ' ')} rows; leave it empty, or use "
            "assistant_only_loss for chats."
        )
    if recipe.assistant_only_loss and dataset.type == "language_modeling":
        raise DataError(
            f"assistant_only_loss needs chats, and {dataset.name} holds plain text; turn it off."
        )


def check_trackers(recipe: Recipe) -> None:
    """Refuse a tracker that is not installed; the studio brings none."""
    for name in recipe.report_to:
        if find_spec(name) is None:
            raise ConfigError(
                f"report_to names {name}, which is not installed here; `pip install {name}`, or "
                "leave it out."
            )


def rows_for(recipe: Recipe, run: Run, datasets: DatasetStore) -> tuple[Any, Any]:
    """The training and the held-out rows; a `DataError` where the objective cannot use them."""
    prepared = datasets.get(run.data.get("id") or recipe.dataset_name)
    check_fit(recipe, prepared)
    evaluation = prepared.load("test") if prepared.rows.get("test") else None
    if OBJECTIVES[recipe.objective].rewarded:
        mix = Mix(recipe.reward_funcs, recipe.reward_weights)
        train = reinforcement.asking(prepared.load("train"), mix)
        held_out = evaluation if recipe.eval_steps or recipe.load_best_model_at_end else None
        return train, reinforcement.asking(held_out, mix) if held_out is not None else None
    margin = recipe.objective == "reward"
    return _trl_columns(prepared.load("train"), margin), _trl_columns(evaluation, margin)


def _trl_columns(rows: Any, margin: bool) -> Any:
    """Only the columns TRL reads: provenance beside them would confuse its collators.

    A `margin` (from the strength of votes) is the reward model's alone.
    """
    if rows is None:
        return None
    known = {"text", "messages", "prompt", "completion", "chosen", "rejected", "label", "tools"}
    known |= {"margin"} if margin else set()
    return rows.select_columns([name for name in rows.column_names if name in known])


def parent_adapter(recipe: Recipe, store: RunStore) -> Any:
    """Folder of the adapter to go on training; None where the run begins a fresh one.

    A sentence where there is nothing to start from, or it is not for this base or this method.
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
            f"{parent.name} is a reward model; only a run that writes answers can be started from."
        )
    if recipe.start_as == "merge":
        return _merges(recipe, parent)
    if parent.adapter is None:
        raise TrainingError(f"{parent.name} has no adapter to start from; it is {parent.state}.")
    ours, theirs = METHODS[recipe.method], METHODS[parent.method]
    if ours.config != theirs.config:
        raise ConfigError(
            f"{parent.name} holds a {theirs.label} adapter, which a {ours.label} run cannot "
            f"continue; set method: {parent.method}, or start_as: merge."
        )
    if recipe.quantized and "+" in parent.base:
        raise ConfigError(
            f"{parent.name} was trained on a merged base, which is held in 16 bits or more; choose "
            "a method that does not quantise, such as lora."
        )
    if recipe.objective == "reward":
        raise ConfigError(
            "A reward model scores and cannot continue an adapter that writes; set start_as: merge."
        )
    return parent.adapter


def _merges(recipe: Recipe, parent: Run) -> None:
    if parent.adapter is None and parent.weights is None:
        raise TrainingError(f"{parent.name} has nothing to merge; it is {parent.state}.")
    theirs = METHODS[parent.method]
    if theirs.prompted or parent.method == "llama_adapter":
        raise ConfigError(
            f"{parent.name} holds a {theirs.label} adapter, which changes no weights and so cannot "
            "be merged; start from the base, or from a LoRA run."
        )


def merged_parent(recipe: Recipe, runs: RunStore) -> Run | None:
    """The run whose result was merged into the base that a recipe's adapter stands on, if any."""
    first = recipe
    while first.continues:
        first = runs.get(first.start_from or "").recipe
    return runs.get(first.start_from) if first.start_from else None


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
