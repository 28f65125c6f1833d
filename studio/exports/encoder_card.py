"""A text encoder's card: sentence-transformers' own, and below it what the studio measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from studio.core.formatting import percent_text
from studio.data import DatasetStore
from studio.exports import model_card, serve_commands
from studio.runs.store import Run


def write(folder: Path, record: dict[str, Any], run: Run, datasets: DatasetStore) -> None:
    """Add the studio's sections to `README.md`, and name every file in the record."""
    events, _ = run.events()
    path = folder / "README.md"
    own = path.read_text(encoding="utf-8").rstrip() if path.exists() else _gguf_head(record)
    parts = [
        f"{own}\n",
        f"## {model_card.inline(run.name)}, as it was trained\n",
        model_card.summary_of(record, run),
        _prompts(run),
        _found(events),
        _proof(record),
        model_card.data_of(run, datasets),
        model_card.recipe_of(run),
    ]
    path.write_text("\n".join(part for part in parts if part), encoding="utf-8")
    files = [one for one in folder.rglob("*") if one.is_file()]
    record["files"] = sorted(one.relative_to(folder).as_posix() for one in files)


def _gguf_head(record: dict[str, Any]) -> str:
    """The head of a GGUF file's card; sentence-transformers does not read such a file."""
    told = "\n".join(command for _, command in serve_commands.commands(record))
    return (
        "---\npipeline_tag: sentence-similarity\ntags:\n- gguf\n- sentence-similarity\n---\n\n"
        f"# A text encoder on {record['base']}, as GGUF\n\nllama.cpp's server gives its vectors at "
        "`/v1/embeddings`, at length 1. Put the prompts below before the texts yourself:\n\n"
        f"```sh\n{told}\n```\n"
    )


def _prompts(run: Run) -> str:
    recipe = run.recipe
    told = {"query": recipe.query_prompt, "document": recipe.document_prompt}
    lines = [f"- {name}: `{text}`" for name, text in told.items() if text]
    if not lines:
        return ""
    head = "`encode_query` and `encode_document` put these before a text:\n\n"
    return head + "\n".join(lines) + "\n"


def _found(events: list[dict[str, Any]]) -> str:
    """The held-out figures before training and after it."""
    found = [event for event in events if event["kind"] == "retrieval"]
    if not found:
        return "No pairs were held out, so what it finds was not measured.\n"
    first, last = found[0], found[-1]
    lines = [
        "## On held-out pairs\n",
        f"{last['queries']:,} queries among {last['documents']:,} documents, with 95 % intervals "
        "over queries:\n",
        "| figure | before | after |\n|---|---|---|",
    ]
    for name, after in last["figures"].items():
        before = first["figures"].get(name)
        lines.append(f"| {name} | {_cell(before) if before else ''} | {_cell(after)} |")
    return "\n".join(lines) + "\n"


def _cell(one: dict[str, Any]) -> str:
    return f"{one['value']:.3f} ({one['low']:.3f} to {one['high']:.3f})"


def _proof(record: dict[str, Any]) -> str:
    found = record["figures"]
    by = "transformers" if record["to"] == "gguf" else "sentence-transformers alone"
    lines = [
        "## Checked\n",
        f"Loaded back with {by} and compared with the run on "
        f"{found['prompts']} texts: its vectors differ by up to {found['largest_difference']:.3g}, "
        f"and {percent_text(found['agreement'])} have the same nearest neighbor.\n",
    ]
    if record.get("trained_on"):
        lines.append(
            f"The run was trained on a base held in {record['trained_on']}; here the base is "
            "whole, so that the vectors differ somewhat from those in training.\n"
        )
    if record["to"] == "adapter" and record["base_kind"] != "hub":
        lines.append(
            "The adapter names the base by its place on the machine where it was made: elsewhere, "
            "set `base_model_name_or_path` in `adapter_config.json`, or export it merged.\n"
        )
    return "\n".join(lines)
