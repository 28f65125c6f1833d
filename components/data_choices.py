"""Small decisions of the Data tab: names, choices and options, without widgets' handlers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from components import data_layout
from components.common import plural
from components.data_looking import Subject
from studio.data import FORMATS, PrepareOptions

if TYPE_CHECKING:
    from studio import Studio
    from studio.data import Inspection


def prepare_button(kept: int) -> Any:
    """The primary button says what will happen."""
    return gr.update(value=f"Prepare {plural(kept, 'row')}", interactive=kept > 0)


def found_name(source: Any, found: Inspection) -> str:
    """A first name for the prepared dataset, from the source's own."""
    first = source[0] if isinstance(source, list) else str(source)
    name = Path(first).name
    return re.sub(r"(\.(json|jsonl|csv|tsv|parquet|arrow|gz|txt))+$", "", name)[:60]


def format_choices(found: Inspection) -> list[tuple[str, str]]:
    """Every format, the one that was found first and marked."""
    others = [(name, name) for name in FORMATS if name != found.format]
    return [(f"{found.format} (found)", found.format), *others]


def prepare_options(subject: Subject, cleaning: list[str], held_out: float) -> PrepareOptions:
    """The left column's choices as the engine's options."""
    chosen = {name: name in cleaning for _, name in data_layout.CLEANING}
    return PrepareOptions(**chosen, test_fraction=held_out / 100, **subject.reading)


def export_file(studio: Studio, dataset: Any, suffix: str) -> Path:
    """The dataset's training rows as one file in the exports folder, made once."""
    folder = studio.workspace.exports / dataset.id
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{Path(dataset.name).name}-train.{suffix}"
    if not path.exists():
        rows = dataset.load("train")
        rows.to_json(str(path), force_ascii=False) if suffix == "jsonl" else rows.to_parquet(path)
    return path


def given(**values: str | None) -> dict[str, str]:
    return {name: value.strip() for name, value in values.items() if value and value.strip()}
