"""`calc`: what a run will train, what memory it needs, how long it takes and what that costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from studio.cli.output import Json, Terminal, parse_pairs, table
from studio.core.errors import ConfigError

if TYPE_CHECKING:
    from studio.calculator import Lengths, RunEstimate
    from studio.runs.recipe import Recipe

Model = Annotated[
    str, typer.Argument(metavar="MODEL", help="`pocket`, a Hub ID, a folder or a config.json.")
]
Targets = Annotated[
    str | None, typer.Option(help="Module names separated by commas, a regex, or all-linear.")
]
Checkpointing = Annotated[
    bool,
    typer.Option("--activation-checkpointing", help="Recompute activations in the backward pass."),
]
GpuName = Annotated[
    str | None, typer.Option(help="GPU such as T4 or 'A100 80'; this machine by default.")
]
Dataset = Annotated[str | None, typer.Option(help="A prepared dataset or a sample, for a time.")]
Price = Annotated[float | None, typer.Option(help="Price of the GPU per hour.", min=0)]
Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Any other field of a recipe, such as load_in_8bit=true or "
        "rank_pattern=q_proj=8,v_proj=32; repeatable.",
    ),
]


def calc(
    model: Model,
    method: Annotated[str | None, typer.Option(help="lora, qlora, dora, full, ia3 ...")] = None,
    objective: Annotated[str | None, typer.Option(help="sft, dpo, kto ...")] = None,
    lora_r: Annotated[int | None, typer.Option(help="Rank of the adapter.")] = None,
    lora_target_modules: Targets = None,
    per_device_train_batch_size: Annotated[int | None, typer.Option(help="Rows per batch.")] = None,
    max_length: Annotated[int | None, typer.Option(help="Tokens per row.")] = None,
    activation_checkpointing: Checkpointing = False,
    gpu: GpuName = None,
    dataset: Dataset = None,
    rows: Annotated[int | None, typer.Option(help="Rows of the data, for a time.", min=1)] = None,
    tokens: Annotated[float | None, typer.Option(help="Mean tokens per row.", min=1)] = None,
    price: Price = None,
    changes: Changes = None,
    as_json: Json = False,
) -> None:
    """Count what trains; estimate memory, time and cost.

    Counts are exact, memory and time are estimates; a model's config is enough, no weights are
    read. Options are a recipe's fields, with its defaults.
    """
    fields = {
        "method": method,
        "objective": objective,
        "lora_r": lora_r,
        "lora_target_modules": lora_target_modules,
        "per_device_train_batch_size": per_device_train_batch_size,
        "max_length": max_length,
        "activation_checkpointing": activation_checkpointing or None,
        "dataset_name": dataset,
    }
    with Terminal(as_json) as out:
        from studio.runs.recipe import Recipe

        values = {name: value for name, value in fields.items() if value is not None}
        recipe = Recipe.of({**values, "model_name_or_path": model, **_set(changes or [])})
        _calculate(out, recipe, gpu, price, known=bool(dataset), rows=rows, tokens=tokens)


def _calculate(
    out: Terminal,
    recipe: Recipe,
    gpu: str | None,
    price: float | None,
    *,
    known: bool,
    rows: int | None,
    tokens: float | None,
) -> None:
    """`known`: the recipe's dataset was named, so that its rows count."""
    from studio.calculator import RowCount, estimate

    lengths = _lengths(out, recipe) if known else RowCount(rows, tokens) if rows else None
    found = estimate(recipe, gpu, lengths)
    if price is None:
        from studio.calculator.prices import prices

        price = prices(out.studio.workspace).get(found.gpu.name)
    money = found.cost.money(price) if price else None
    plain = found.as_dict()
    plain["cost"] |= {"price_per_hour": price, "money": list(money) if money else None}
    out.result(plain, _describe(found, price))


def _set(changes: list[str]) -> dict[str, Any]:
    """`--set` pairs; numbers and booleans as such, patterns and lists of names as text."""
    import yaml

    found: dict[str, Any] = {}
    for key, text in parse_pairs(changes, "--set").items():
        try:
            found[key] = yaml.safe_load(text)
        except yaml.YAMLError:
            raise ConfigError(f"--set {key}: {text!r} is not a YAML value.") from None
    return found


def _lengths(out: Terminal, recipe: Recipe) -> Lengths:
    from studio.workflows.estimate_run import dataset_lengths

    found = dataset_lengths(out.studio, recipe)
    if found is None:
        known = ", ".join(kept.name for kept in out.studio.datasets.list()) or "none"
        raise ConfigError(
            f"{recipe.dataset_name} is not a prepared dataset or a sample. Prepared: {known}."
        )
    return found


def _describe(found: RunEstimate, price: float | None) -> str:
    """The summary line, the modules, the terms of the memory, time and cost, and notes."""
    from studio.calculator import formatting

    plain = found.as_dict()
    modules = [
        (part["module"], "x".join(map(str, part["shape"])), part["count"], part["trainable"])
        for part in plain["modules"]
        if part["trainable"]
    ]
    terms = [
        (name, formatting.size(size))
        for name, size in plain["memory"].items()
        if isinstance(size, int | float) and size
    ]
    lines = [
        f"{found.name} on {found.gpu.name}: {found.line()}",
        f"{found.trainable_parameters:,} of {found.parameters.all_parameters:,} parameters "
        f"train; the saved file takes {formatting.size(found.saved_bytes)}",
        "",
        table(modules, ("module", "shape", "layers", "trainable")),
        "",
        table(terms, ("memory", "")),
    ]
    cost = found.cost
    if cost.seconds and cost.tokens:
        trained = f", {formatting.count(cost.trained)} of them trained" if cost.trained else ""
        lines += [
            "",
            f"{cost.steps:,} steps, {formatting.count(cost.tokens[0])} tokens{trained}: "
            f"{cost.words()} ({cost.basis})",
        ]
        if price and (money := cost.money(price)):
            lines.append(f"at {price:g} per hour: {formatting.money(*money)}")
    return "\n".join([*lines, *(["", *found.notes] if found.notes else [])])
