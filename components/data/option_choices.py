"""Names, dropdown choices and options of the Data tab; no event handlers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from components.data.import_form import (
    CLEANING,
    MAX_PARTS,
    MORE_CLEANING,
    NOVELTY,
    PAIRS_ONLY,
    USUAL,
)
from studio.core.formatting import DOT, plural
from studio.data import SAMPLES, PrepareOptions, export, known_formats
from studio.data.readers.encodings import PACKED, SUFFIXES

if TYPE_CHECKING:
    from components.data.row_browser import Update
    from studio import Studio
    from studio.data import Inspection, PreparedDataset
    from studio.data.readers.sources import Source
    from studio.data.types import JsonObject

Choices = list[tuple[str, str]]


def sample_choices() -> Choices:
    """The built-in samples, each with a description."""
    return [(f"{alias}{DOT}{what}", alias) for alias, what in SAMPLES.items()]


def prepare_button(kept: int, asked: bool = False) -> Update:
    """The Prepare button, labeled with the number of rows; off while a question is open."""
    label = "Choose how to read the rows" if asked else f"Prepare {plural(kept, 'row')}"
    return gr.update(value=label, interactive=kept > 0 and not asked)


def source_name(source: Source) -> str:
    """A source as its file or Hub id, or its first file with the number of the others."""
    if not isinstance(source, list | tuple):
        return Path(source).name
    more = len(source) - 1
    return Path(source[0]).name + (f" and {plural(more, 'more file')}" if more else "")


def found_name(source: Source) -> str:
    """A default name for the prepared dataset, derived from its source."""
    first = source[0] if isinstance(source, list | tuple) else source
    name = Path(first).name
    while (suffix := Path(name).suffix.lower()) in (*PACKED, *SUFFIXES):
        name = name[: -len(suffix)]
    return name[:60]


def format_choices(found: Inspection) -> Choices:
    """Every format, the detected one first."""
    others = [(name, name) for name in known_formats() if name != found.format]
    return [(f"{found.format} (detected)", found.format), *others]


def row_parts(found: Inspection) -> Choices:
    """(field, description) of a format, to be mapped to columns."""
    fields = known_formats().get(found.format) or dict.fromkeys(found.mapping, "")
    return list(fields.items())[:MAX_PARTS]


def cleaning_choices(type_: str) -> tuple[tuple[Choices, list[str]], tuple[Choices, list[str]]]:
    """Both groups of cleaning steps for a dataset type, each with its defaults."""
    pairs = type_ in ("preference", "comparison")
    fit = [
        [choice for choice in group if pairs or choice[1] not in PAIRS_ONLY]
        for group in (CLEANING, MORE_CLEANING)
    ]
    first, more = ((group, [v for _, v in group if v in USUAL]) for group in fit)
    return first, more


def held_out_choices(studio: Studio) -> Choices:
    """Prepared datasets that can serve as a held-out evaluation set."""
    return [
        ("None", ""),
        *((dataset.name, str(dataset.folder)) for dataset in studio.datasets.list()[:50]),
    ]


def balance_choices(columns: dict[str, int]) -> Choices:
    """Columns to balance by, each with its number of groups."""
    return [("None", ""), *((f"{name} ({n} groups)", name) for name, n in columns.items())]


def prepare_options(how: JsonObject, values: Sequence[Any]) -> PrepareOptions:
    """Convert the form's values, in the order of `Cleaning.inputs`, to engine options."""
    steps, more, least, most, held_out, balance, sample, seed, test = values
    chosen = {*(steps or ()), *(more or ())}
    how = dict(how)
    template, chunks = how.pop("template", None), how.pop("chunks", None)
    if template:
        how |= {"template": template.prompts, "completion_template": template.completion}
    if chunks:
        how |= {"chunk_tokens": chunks.tokens, "chunk_overlap": chunks.overlap}
    flags = {name: name in chosen for _, name in (*CLEANING, *MORE_CLEANING) if name != "novelty"}
    return PrepareOptions(
        **flags,
        novelty=NOVELTY if "novelty" in chosen else 0.0,
        min_words=int(least or 0),
        max_words=int(most or 0),
        held_out=held_out or None,
        balance=balance or None,
        sample=int(sample) if sample else None,
        seed=int(seed or 0),
        test_fraction=(test or 0) / 100,
        **how,
    )


def export_file(studio: Studio, dataset: PreparedDataset, suffix: str, split: str) -> Path:
    """One split of a dataset as a file in the exports folder, created if missing."""
    folder = studio.workspace.exports / dataset.id
    folder.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^\w.-]+", "-", dataset.name).strip("-.") or "rows"
    path = folder / f"{name}-{split}.{suffix}"
    if not path.exists():
        export(dataset, path, split)
    return path


def given(**values: str | None) -> dict[str, str]:
    """The values that are not blank, stripped."""
    return {name: value.strip() for name, value in values.items() if value and value.strip()}
