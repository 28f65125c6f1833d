"""`calc`: what a run will train, what memory it needs and how long it takes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from studio.cli.output import Json, Terminal, table


def calc(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="`pocket`, a Hub id, a folder or a config.json.")
    ],
    method: Annotated[str, typer.Option(help="lora, qlora, dora, full, ia3 ...")] = "lora",
    rank: Annotated[int, typer.Option(help="Rank of the adapter.", min=1)] = 16,
    alpha: Annotated[int | None, typer.Option(help="Scale; twice the rank by default.")] = None,
    targets: Annotated[
        str, typer.Option(help="Module names with commas between, or all-linear.")
    ] = "all-linear",
    quantization: Annotated[
        str | None, typer.Option(help="none, 4bit or 8bit; qlora takes 4bit by itself.")
    ] = None,
    objective: Annotated[str, typer.Option(help="sft or dpo.")] = "sft",
    batch_size: Annotated[int, typer.Option(help="Rows a step.", min=1)] = 8,
    length: Annotated[int, typer.Option(help="Tokens a row.", min=1)] = 512,
    optim: Annotated[
        str, typer.Option(help="Optimizer, by transformers' name.")
    ] = "adamw_torch_fused",
    card: Annotated[
        str | None, typer.Option(help="GPU such as T4 or 'A100 80'; this machine by default.")
    ] = None,
    rows: Annotated[int | None, typer.Option(help="Rows of the data, for a time.", min=1)] = None,
    as_json: Json = False,
) -> None:
    """Count what trains; estimate memory and time.

    Counts are exact, memory and time estimates; a model's config is enough, no weights are read.
    """
    settings: dict[str, Any] = {
        "objective": objective,
        "per_device_train_batch_size": batch_size,
        "max_length": length,
        "optim": optim,
    }
    if quantization is not None:
        settings["quantization"] = quantization
    if method not in ("ia3", "full") or targets != "all-linear":
        settings["lora_target_modules"] = targets
    with Terminal(as_json) as out:
        from studio.calculator import estimate

        source = Path(model) if model.endswith(".json") else model
        found = estimate(
            source,
            method=method,
            lora_r=rank,
            lora_alpha=alpha,
            card=card,
            rows=rows,
            **settings,
        )
        out.result(found.as_dict(), _describe(found))


def _describe(found: Any) -> str:
    """The line, the modules, the memory's terms and what to know about them."""
    from studio.calculator import wording

    plain = found.as_dict()
    modules = [
        (part["module"], "x".join(map(str, part["shape"])), part["count"], part["trainable"])
        for part in plain["modules"]
        if part["trainable"]
    ]
    terms = [
        (name, wording.size(size))
        for name, size in plain["memory"].items()
        if isinstance(size, int | float) and size
    ]
    return "\n".join(
        [
            f"{found.name} on {found.card.name}: {found.line()}",
            f"{found.trainable_parameters:,} of {found.parameters.all_parameters:,} parameters "
            f"train; the saved file takes {wording.size(found.adapter_bytes)}",
            "",
            table(modules, ("module", "shape", "layers", "trainable")),
            "",
            table(terms, ("memory", "")),
            *(["", *found.notes] if found.notes else []),
        ]
    )
