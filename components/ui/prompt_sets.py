"""Sets of prompts for every model: typed lines, shipped samples, a dataset's held-out rows."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from studio.core.errors import ConfigError, DataError
from studio.core.formatting import DOT, plural
from studio.core.messages import Message, prompt_and_references
from studio.data.readers.sources import sample_path
from studio.generation.request import Sampling

if TYPE_CHECKING:
    from studio import Studio

TYPED = "typed"
_SHIPPED = {"pocket-prompts": "Pocket prompts", "pocket-questions": "Pocket questions, held-out"}


@dataclass(frozen=True)
class PromptSet:
    """Prompts as messages, each with its row's reference answer, if any."""

    name: str
    prompts: list[list[Message]]
    references: list[str | None]

    def repeated(self, times: int, sampling: Sampling) -> PromptSet:
        """Every prompt `times` times over, each sampled separately."""
        if times < 1:
            raise ConfigError("Set samples to at least one per prompt.")
        if times > 1 and not sampling.temperature:
            raise ConfigError("Greedy gives the same answer every time; choose another sampling.")
        prompts = [prompt for prompt in self.prompts for _ in range(times)]
        return replace(
            self,
            prompts=prompts,
            references=[known for known in self.references for _ in range(times)],
        )


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
    return [*shipped, *prepared, ("Typed here, one per line", TYPED)]


_SPLITS = {"test": "held-out", "train": "all rows"}


def load_set(studio: Studio, source: str, typed: str, limit: int) -> PromptSet:
    """The first `limit` prompts of a source; `DataError` where there are none."""
    if limit < 1:
        raise ConfigError("Set the limit to at least one prompt.")
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
        raise ConfigError("Choose a set of prompts.")
    if not found.prompts:
        raise DataError(f"There are no prompts in {found.name}; choose another set, or type some.")
    return found


def _from_rows(name: str, rows: list[dict[str, Any]]) -> PromptSet:
    pairs = [pair for pair in map(prompt_and_references, rows) if pair is not None]
    answers = [", ".join(references) or None for _, references in pairs]
    return PromptSet(name, [prompt for prompt, _ in pairs], answers)


def _asked(text: str) -> list[Message]:
    return [{"role": "user", "content": text}]


def from_file(studio: Studio, path: str) -> str:
    """Prepare an uploaded file of prompts in the workspace; returns its value in the list."""
    [kept] = studio.workspace.take_in([path])
    dataset = studio.datasets.prepare(kept)
    split = "test" if dataset.rows.get("test") else "train"
    return f"dataset:{dataset.id}:{split}"
