"""`calc` and `hardware`: what a run will train and need, and what this machine has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from studio.commands.base import Json, Param, command, methods, objectives
from studio.core.errors import ConfigError

if TYPE_CHECKING:
    from studio.calculator import Lengths, RunEstimate
    from studio.engine.studio import Studio


@command(read_only=True)
def calc(
    studio: Studio,
    model: Annotated[str, Param("`pocket`, a Hub ID, a folder or the path of a config.json.")],
    *,
    method: Annotated[str, Param("One of {values}.", values=methods)] = "lora",
    objective: Annotated[str, Param("One of {values}.", values=objectives)] = "sft",
    lora_r: Annotated[int | None, Param("Rank of the adapter.", min=1)] = None,
    lora_alpha: Annotated[int | None, Param("Scaling of the adapter.", min=1)] = None,
    lora_target_modules: Annotated[
        str | None, Param("Module names separated by commas, or all-linear.")
    ] = None,
    per_device_train_batch_size: Annotated[int | None, Param("Rows per batch.", min=1)] = None,
    max_length: Annotated[int | None, Param("Longest row, in tokens.", min=1)] = None,
    optim: Annotated[str | None, Param("Optimizer, by transformers' name.")] = None,
    activation_checkpointing: Annotated[
        bool, Param("Recompute activations in the backward pass.")
    ] = False,
    set: Annotated[
        dict[str, Any] | None,
        Param("Any other parameter of a recipe, such as load_in_8bit=true; repeatable."),
    ] = None,
    gpu: Annotated[str | None, Param("GPU such as T4 or 'A100 80'; default: this machine.")] = None,
    dataset: Annotated[
        list[str] | None,
        Param("Prepared dataset or sample, for steps and time; several: each as NAME:FRACTION."),
    ] = None,
    rows: Annotated[int | None, Param("Rows to train on, in place of a dataset.", min=1)] = None,
    mean_tokens: Annotated[float | None, Param("Mean tokens per row, with rows.", min=1)] = None,
    price: Annotated[float | None, Param("Price of the GPU per hour.", min=0)] = None,
) -> Json:
    """Count trainable parameters; estimate memory, time and cost.

    Counts are exact; memory and time are estimates. Only the model's config is read, no weights.
    Parameters that are not given take the recipe's defaults.
    """
    given = dict(locals())
    from studio.calculator import RowCount, estimate
    from studio.calculator.prices import prices
    from studio.runs import dataset_entries
    from studio.runs.recipe import Recipe
    from studio.workflows.estimate_run import dataset_lengths, estimate_run, kind_of, mixture_shares

    named = {name: given[name] for name in Recipe.model_fields.keys() & given}
    named |= {"model_name_or_path": model}
    changes = {name: value for name, value in named.items() if value is not None}
    recipe = Recipe.of({**changes, **dataset_entries.named(dataset), **(set or {})})
    if dataset:
        for name in [entry.path for entry in recipe.datasets] or dataset:
            if kind_of(studio, name) is None:
                known = ", ".join(kept.name for kept in studio.datasets.list()) or "none"
                raise ConfigError(
                    f"{name} is neither a prepared dataset nor a sample. Prepared: {known}."
                )
        found = estimate_run(studio, recipe, gpu)
    else:
        found = estimate(recipe, gpu, RowCount(rows, mean_tokens) if rows else None)
    if price is None:
        price = prices(studio.workspace).get(found.gpu.name)
    money = found.cost.money(price) if price else None
    cost = {"time": found.cost.words(), "price_per_hour": price, "money": money}
    value = found.as_dict()
    shares = mixture_shares(studio, recipe) if dataset else []
    value |= _by_length(found, dataset_lengths(studio, recipe) if dataset else None)
    return value | {"summary": found.line(), "cost": value["cost"] | cost, "datasets": shares}


def _by_length(found: RunEstimate, lengths: Lengths | None) -> Json:
    """The estimate at other lengths, and how long the rows are where they are known."""
    from studio.calculator import by_length, shifted_saving

    points = by_length.by_length(found, lengths)
    rows = by_length.row_lengths(found, lengths).as_dict() if lengths else None
    return {
        "by_length": [point.as_dict() for point in points],
        "row_lengths": rows,
        "shifted_attention_from": shifted_saving.shifted_from(found.work),
    }


@command(read_only=True)
def hardware(studio: Studio) -> Json:
    """Show the device, its memory, the libraries' versions, and what was measured here.

    Decoding on a CPU takes the faster of two matrix products for each shape and number of rows;
    they are measured when they are first needed.
    """
    from studio.core import calibration, cards
    from studio.core.hardware import detect

    found, seen = detect(), cards.cards()
    lines = [found.line(), *(card.label() for card in seen if len(seen) > 1)]
    gpus = [card.as_dict() for card in seen]
    measured = calibration.read(studio.workspace.cache)
    return found.as_dict() | {
        "gpus": gpus,
        "summary": "\n".join(lines),
        "measured": calibration.told(measured),
    }
