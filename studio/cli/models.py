"""How the shell shows `models`."""

from __future__ import annotations

from studio.cli.register import View
from studio.cli.terminal import columns, table
from studio.commands.base import Json
from studio.core.model_catalog import size


def _deleted(found: Json) -> str:
    restore = f"models restore {found['deleted']}"
    text = f"{found['name']} is in the trash for a day; to restore it: {restore}"
    made = ", ".join(found["made_with_it"])
    return f"{text}\nKept, though made with it: {made}" if made else text


def _cleaned(found: Json) -> str:
    rows = [(one["what"], one["bytes"]) for one in found["waste"]]
    if not rows:
        return "Nothing to clean up."
    freed = found["freed"]
    last = f"{freed:,} bytes freed" if freed else "To remove it: models clean --yes"
    return f"{table(rows, ('what', 'bytes'))}\n\n{last}"


def _suggested(found: Json) -> str:
    where = "on this machine" if found["on_this_machine"] else "from the Hub"
    told = f"{found['model']} by {found['method']}, {where}: {found['why']}"
    return f"{told}\n{found['assumed']}" if found["assumed"] else told


def _searched(found: list[Json]) -> str:
    if not found:
        return "The Hub has no such language model."
    rows = [
        (
            one["id"],
            size(one["parameters"]) if one["parameters"] else "no safetensors",
            f"{one['downloads']:,}",
            one["license"] + (", gated" if one["gated"] else ""),
        )
        for one in found
    ]
    return table(rows, ("model", "parameters", "downloads", "license"))


VIEWS = {
    "models_suggest": View(_suggested, "pocket-sft"),
    "models_search": View(_searched, "SmolLM2 --max-size 1"),
    "models_list": View(columns("id", "kind", "name", "what", "bytes"), "--json"),
    "models_tag": View("{id} is updated.", 'run-20260131-142501-9f3c --tag keep --note "ok"'),
    "models_delete": View(_deleted, "export-20260131-142501-9f3c"),
    "models_restore": View("{name} is restored.", "export-20260131-142501-9f3c"),
    "models_clean": View(_cleaned, "--yes"),
}
