"""Small decisions of the Data tab: names, choices and options, without widgets' handlers."""

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

if TYPE_CHECKING:
    from studio import Studio
    from studio.data import Inspection, PreparedDataset

Choices = list[tuple[str, str]]


def sample_choices() -> Choices:
    """The shipped samples, each with what it is for."""
    return [(f"{alias}{DOT}{what}", alias) for alias, what in SAMPLES.items()]


def prepare_button(kept: int) -> Any:
    """The primary button says what will happen."""
    return gr.update(value=f"Prepare {plural(kept, 'row')}", interactive=kept > 0)


def found_name(source: Any, found: Inspection) -> str:
    """A first name for the prepared dataset, from the source's own."""
    first = source[0] if isinstance(source, list) else str(source)
    name = Path(first).name
    return re.sub(r"(\.(json|jsonl|csv|tsv|parquet|arrow|gz|txt))+$", "", name)[:60]


def format_choices(found: Inspection) -> Choices:
    """Every format, the one that was found first and marked."""
    others = [(name, name) for name in known_formats() if name != found.format]
    return [(f"{found.format} (found)", found.format), *others]


def row_parts(found: Inspection) -> Choices:
    """(part, what it is) of a format's rows, to be given a column each."""
    fields = known_formats().get(found.format) or dict.fromkeys(found.mapping, "")
    return list(fields.items())[:MAX_PARTS]


def cleaning_choices(type_: str) -> tuple[tuple[Choices, list[str]], tuple[Choices, list[str]]]:
    """The two groups of steps that rows of a type can have, each with what is usual."""
    pairs = type_ in ("preference", "comparison")
    fit = [
        [choice for choice in group if pairs or choice[1] not in PAIRS_ONLY]
        for group in (CLEANING, MORE_CLEANING)
    ]
    first, more = ((group, [v for _, v in group if v in USUAL]) for group in fit)
    return first, more


def held_out_choices(studio: Studio) -> Choices:
    """Prepared datasets whose prompts must not be trained on."""
    return [
        ("nothing", ""),
        *((dataset.name, str(dataset.folder)) for dataset in studio.datasets.list()[:50]),
    ]


def balance_choices(columns: dict[str, int]) -> Choices:
    """Columns of few values, with how many groups each makes."""
    return [("no column", ""), *((f"{name} ({n} groups)", name) for name, n in columns.items())]


def prepare_options(how: dict[str, Any], values: Sequence[Any]) -> PrepareOptions:
    """The left column's choices (in the order of `Cleaning.inputs`) as the engine's options."""
    steps, more, least, most, held_out, balance, sample, seed, test = values
    chosen = {*(steps or ()), *(more or ())}
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
    """One split of a dataset as a file in the exports folder, made once."""
    folder = studio.workspace.exports / dataset.id
    folder.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^\w.-]+", "-", dataset.name).strip("-.") or "rows"
    path = folder / f"{name}-{split}.{suffix}"
    if not path.exists():
        export(dataset, path, split)
    return path


def given(**values: str | None) -> dict[str, str]:
    return {name: value.strip() for name, value in values.items() if value and value.strip()}
