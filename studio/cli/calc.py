"""How the shell shows `calc` and `hardware`."""

from __future__ import annotations

from studio.cli.register import View
from studio.cli.terminal import table
from studio.commands.base import Json
from studio.core.formatting import percent_text


def _estimate(found: Json) -> str:
    """The summary, the modules that train, the terms of the memory, time and cost, and notes."""
    from studio.core import formatting

    modules = [
        (one["module"], "x".join(map(str, one["shape"])), one["count"], one["trainable"])
        for one in found["modules"]
        if one["trainable"]
    ]
    terms = [
        (name, formatting.bytes_text(size))
        for name, size in found["memory"].items()
        if isinstance(size, int | float) and size
    ]
    lines = [
        f"{found['model']} on {found['gpu']}: {found['summary']}",
        f"{found['trainable_parameters']:,} of {found['all_parameters']:,} parameters train; "
        f"the saved file takes {formatting.bytes_text(found['saved_bytes'])}",
        "",
        table(modules, ("module", "shape", "layers", "trainable")),
        "",
        table(terms, ("memory", "")),
        f"with the allocator's slack {formatting.bytes_range(*found['memory_range'])}",
        "",
        lengths(found),
    ]
    cost = found["cost"]
    if cost["seconds"]:
        tokens = formatting.compact(cost["tokens"][0])
        trained = cost["trained_tokens"]
        trained = f", {formatting.compact(trained)} of them trained" if trained else ""
        time = f"{cost['time']} ({cost['basis']})"
        lines += ["", f"{cost['steps']:,} steps, {tokens} tokens{trained}: {time}"]
    if found["datasets"]:
        lines += ["", shares(found["datasets"])]
    if cost["money"]:
        money = formatting.money_text(*cost["money"])
        lines.append(f"at {cost['price_per_hour']:g} per hour: {money}")
    return "\n".join([*lines, *(["", *found["notes"]] if found["notes"] else [])])


def lengths(found: Json) -> str:
    """Memory by length, with the share of rows that are longer, and what the base reads."""
    from studio.core import formatting

    points = [
        (
            f"{one['max_length']:,}",
            formatting.bytes_text(one["memory"]),
            one["verdict"],
            None if one["rows_longer"] is None else percent_text(one["rows_longer"]),
        )
        for one in found["by_length"]
    ]
    said = [table(points, ("max_length", "memory", "", "rows longer"))]
    rows = found["row_lengths"]
    if rows and rows["reads"]:
        said.append(
            f"{percent_text(rows['beyond'])} of the rows need more than the {rows['reads']:,} "
            "tokens that the base reads"
        )
    least = found["shifted_attention_from"]
    said.append(f"shifted_attention saves a tenth of a step's operations from {least:,} tokens on")
    return "\n".join(said)


def shares(datasets: list[Json]) -> str:
    """What the model will see of each dataset of a mixture, as a table."""
    rows = [
        (
            one["name"],
            f"{one['rows']:,} of {one['of_rows']:,}",
            percent_text(one["share_of_rows"]),
            f"{one['tokens']:,}",
            percent_text(one["share_of_tokens"]),
            percent_text(one["share_of_trained_tokens"]),
        )
        for one in datasets
    ]
    header = ("dataset", "rows", "of all rows", "tokens", "of all tokens", "of trained tokens")
    return table(rows, header)


def _hardware(found: Json) -> str:
    lines = [found["summary"]]
    if found["device"] != "cpu":
        lines.append(f"bfloat16: {'yes' if found['bf16'] else 'no'}; devices: {found['devices']}")
    lines.append(f"Python {found['python']} on {found['system']}")
    lines.append(", ".join(f"{name} {version}" for name, version in found["packages"].items()))
    for machine, products in found["measured"].items():
        lines += ["", f"Decoding, measured here ({machine})"]
        lines += [f"  {one['shape']}: {one['share']:.2f}  {one['said']}" for one in products]
    return "\n".join(lines)


VIEWS = {
    "calc": View(
        _estimate,
        "pocket --lora-r 8 --lora-target-modules q_proj,k_proj,v_proj",
        "pocket --dataset mine --dataset general:0.1",
    ),
    "hardware": View(_hardware, "--json"),
}
