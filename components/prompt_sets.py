"""Sets of prompts to ask every column: typed lines, shipped samples, a dataset's held-out rows."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.common import plural
from studio.data.sources import sample_path
from studio.errors import ConfigError, DataError
from studio.generation.request import Message
from studio.workspace import new_id

if TYPE_CHECKING:
    from studio import Studio

TYPED = "typed"
_SHIPPED = {"pocket-prompts": "Pocket prompts", "pocket-questions": "Pocket questions, held out"}
DOT = " \N{MIDDLE DOT} "


@dataclass(frozen=True)
class PromptSet:
    """Prompts as messages, and beside each the answer its row holds, if any."""

    name: str
    prompts: list[list[Message]]
    references: list[str | None]


def source_choices(studio: Studio) -> list[tuple[str, str]]:
    """(label, value): shipped sets, the held-out rows of every dataset, and typed lines."""
    shipped = [(label, f"sample:{alias}") for alias, label in _SHIPPED.items()]
    prepared = [
        (
            f"{d.name}{DOT}{plural(d.rows[split], 'row')}, {_SPLITS[split]}",
            f"dataset:{d.id}:{split}",
        )
        for d in studio.datasets.list()
        if d.type != "language_modeling"
        for split in ("test", "train")
        if d.rows.get(split) and (split == "test" or not d.rows.get("test"))
    ]
    return [*shipped, *prepared, ("Typed here, one a line", TYPED)]


_SPLITS = {"test": "held out", "train": "all rows"}


def load_set(studio: Studio, source: str, typed: str, limit: int) -> PromptSet:
    """The first `limit` prompts of a source; a sentence where there are none."""
    if limit < 1:
        raise ConfigError("Ask for at least one prompt.")
    kind, _, name = source.partition(":")
    if kind == TYPED:
        lines = [line.strip() for line in typed.splitlines() if line.strip()][:limit]
        found = PromptSet("typed prompts", [_asked(line) for line in lines], [None] * len(lines))
    elif kind == "sample" and name in _SHIPPED:
        text = sample_path(name).read_text(encoding="utf-8")
        rows = [json.loads(line) for line in text.splitlines() if line.strip()][:limit]
        found = _from_rows(name, rows)
    elif kind == "dataset":
        identifier, _, split = name.rpartition(":")
        dataset = studio.datasets.get(identifier)
        found = _from_rows(f"{dataset.name}, {_SPLITS[split]}", dataset.head(limit, split))
    else:
        raise ConfigError("Choose where the prompts come from.")
    if not found.prompts:
        raise DataError(f"There is no prompt in {found.name}; choose another set, or type some.")
    return found


def _from_rows(name: str, rows: list[dict[str, Any]]) -> PromptSet:
    pairs = [pair for pair in map(_row, rows) if pair is not None]
    return PromptSet(name, [prompt for prompt, _ in pairs], [answer for _, answer in pairs])


def _row(row: Mapping[str, Any]) -> tuple[list[Message], str | None] | None:
    """The prompt of a row of any type, and the answer it holds."""
    if row.get("messages"):
        turns = [{"role": t["role"], "content": t["content"] or ""} for t in row["messages"]]
        at = next((i for i, turn in enumerate(turns) if turn["role"] == "assistant"), len(turns))
        answer = turns[at]["content"] if at < len(turns) else None
        return (turns[:at], answer) if at else None
    prompt = row.get("prompt")
    if not prompt:
        return None
    asked = (
        _asked(prompt)
        if isinstance(prompt, str)
        else [{"role": turn["role"], "content": turn["content"] or ""} for turn in prompt]
    )
    answer = row.get("completion") or row.get("chosen") or row.get("answers")
    if isinstance(answer, list):
        texts = [each["content"] if isinstance(each, Mapping) else str(each) for each in answer]
        answer = ", ".join(texts)
    return asked, answer


def _asked(text: str) -> list[Message]:
    return [{"role": "user", "content": text}]


def from_file(studio: Studio, path: str) -> str:
    """Prepare an uploaded file of prompts in the workspace; the value to choose it by."""
    folder = studio.workspace.uploads / new_id("upload")
    folder.mkdir(parents=True)
    kept = folder / Path(path).name
    shutil.copyfile(path, kept)
    dataset = studio.datasets.prepare(kept)
    split = "test" if dataset.rows.get("test") else "train"
    return f"dataset:{dataset.id}:{split}"
