"""`calc`: what a run will train, what memory it needs, how long it takes and what that costs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from studio.cli.output import Json, Terminal, parse_pairs, table
from studio.core.errors import ConfigError

Model = Annotated[
    str, typer.Argument(metavar="MODEL", help="`pocket`, a Hub id, a folder or a config.json.")
]
Targets = Annotated[
    str | None,
    typer.Option(help="Module names with commas between, a regex, or all-linear (usual)."),
]
Quantization = Annotated[
    str | None, typer.Option(help="none, 4bit or 8bit; qlora takes 4bit by itself.")
]
Checkpointing = Annotated[
    bool, typer.Option("--checkpointing", help="Recompute activations in the backward pass.")
]
CardName = Annotated[
    str | None, typer.Option(help="GPU such as T4 or 'A100 80'; this machine by default.")
]
Dataset = Annotated[str | None, typer.Option(help="A prepared dataset or a sample, for a time.")]
Price = Annotated[float | None, typer.Option(help="Price of the card an hour.", min=0)]
Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Any other setting, such as rank_pattern=q_proj=8,v_proj=32 or "
        "lora_modules_to_save=lm_head; repeatable.",
    ),
]


def calc(
    model: Model,
    method: Annotated[str, typer.Option(help="lora, qlora, dora, full, ia3 ...")] = "lora",
    rank: Annotated[int, typer.Option(help="Rank of the adapter.", min=1)] = 16,
    alpha: Annotated[int | None, typer.Option(help="Scale; twice the rank by default.")] = None,
    targets: Targets = None,
    quantization: Quantization = None,
    objective: Annotated[str, typer.Option(help="sft, dpo, kto ...")] = "sft",
    batch_size: Annotated[int, typer.Option(help="Rows a step.", min=1)] = 8,
    length: Annotated[int, typer.Option(help="Tokens a row.", min=1)] = 512,
    optim: Annotated[str, typer.Option(help="By transformers' name.")] = "adamw_torch_fused",
    checkpointing: Checkpointing = False,
    card: CardName = None,
    dataset: Dataset = None,
    rows: Annotated[int | None, typer.Option(help="Rows of the data, for a time.", min=1)] = None,
    tokens: Annotated[float | None, typer.Option(help="Mean tokens a row.", min=1)] = None,
    price: Price = None,
    changes: Changes = None,
    as_json: Json = False,
) -> None:
    """Count what trains; estimate memory, time and cost.

    Counts are exact, memory and time estimates; a model's config is enough, no weights are read.
    """
    settings = {
        "method": method,
        "objective": objective,
        "per_device_train_batch_size": batch_size,
        "max_length": length,
        "optim": optim,
        "activation_checkpointing": checkpointing,
        "lora_r": rank,
        "lora_alpha": alpha,
        "rows": rows,
        "mean_tokens": tokens,
        "quantization": quantization or "none",
    }
    if targets is not None:
        settings["lora_target_modules"] = targets
    with Terminal(as_json) as out:
        _calculate(out, model, card, dataset, price, settings | _others(changes or []))


def _calculate(
    out: Terminal,
    model: str,
    card: str | None,
    dataset: str | None,
    price: float | None,
    settings: dict[str, Any],
) -> None:
    from studio.calculator import estimate

    if dataset:
        settings["lengths"] = _lengths(out, dataset, model, settings)
    found = estimate(Path(model) if model.endswith(".json") else model, card=card, **settings)
    if price is None:
        from studio.calculator.prices import prices

        price = prices(out.studio.workspace).get(found.card.name)
    money = found.cost.money(price) if price else None
    plain = found.as_dict()
    plain["cost"] |= {"price_per_hour": price, "money": list(money) if money else None}
    out.result(plain, _describe(found, price))


def _others(changes: list[str]) -> dict[str, Any]:
    """`--set` pairs; numbers and booleans as such, patterns and lists of names as text."""
    import yaml

    found: dict[str, Any] = {}
    for key, text in parse_pairs(changes, "--set").items():
        try:
            found[key] = yaml.safe_load(text)
        except yaml.YAMLError:
            raise ConfigError(f"--set {key}: {text!r} is not a YAML value.") from None
        if key == "layers_to_transform" and isinstance(found[key], str | int):
            found[key] = _numbers(str(found[key]))
    return found


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise ConfigError(
            f"layers_to_transform is {text!r}; give numbers with commas between."
        ) from None


def _lengths(out: Terminal, dataset: str, model: str, settings: dict[str, Any]) -> Any:
    from studio.runs.recipe import Recipe
    from studio.workflows.estimate_run import dataset_lengths

    recipe = Recipe.defaults(settings["objective"], dataset_name=dataset, model_name_or_path=model)
    found = dataset_lengths(out.studio, recipe)
    if found is None:
        known = ", ".join(kept.name for kept in out.studio.datasets.list()) or "none"
        raise ConfigError(f"{dataset} is not a prepared dataset or a sample. Prepared: {known}.")
    return found


def _describe(found: Any, price: float | None) -> str:
    """The line, the modules, the memory's terms, time and cost, and what to know about them."""
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
        f"{found.name} on {found.card.name}: {found.line()}",
        f"{found.trainable_parameters:,} of {found.parameters.all_parameters:,} parameters "
        f"train; the saved file takes {formatting.size(found.adapter_bytes)}",
        "",
        table(modules, ("module", "shape", "layers", "trainable")),
        "",
        table(terms, ("memory", "")),
    ]
    cost = found.cost
    if cost.seconds:
        trained = f", {formatting.count(cost.trained)} of them trained" if cost.trained else ""
        lines += [
            "",
            f"{cost.steps:,} steps, {formatting.count(cost.tokens[0])} tokens{trained}: "
            f"{cost.words()} ({cost.basis})",
        ]
        if price:
            lines.append(f"at {price:g} an hour: {formatting.money(*cost.money(price))}")
    return "\n".join([*lines, *(["", *found.notes] if found.notes else [])])
