"""Small decisions of the Data tab: names, choices and options, without widgets' handlers."""

from __future__ import annotations

import itertools
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
import orjson
import pyarrow.parquet as pq

from components import data_layout
from components.common import plural
from components.data_looking import Subject
from studio.data import SAMPLES, PrepareOptions, formats
from studio.data.pipeline import Stream
from studio.data.prepared import tidy
from studio.data.sources import locate

if TYPE_CHECKING:
    from studio import Studio
    from studio.data import Inspection, PreparedDataset

FIRST_ROWS = 500


def sample_choices() -> list[tuple[str, str]]:
    """The shipped samples, each with what it is for."""
    return [(f"{alias} \N{MIDDLE DOT} {what}", alias) for alias, what in SAMPLES.items()]


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
    others = [(name, name) for name in formats() if name != found.format]
    return [(f"{found.format} (found)", found.format), *others]


def first_rows(source: Any, reading: dict[str, Any]) -> list[dict[str, Any]]:
    """The good rows at the beginning of a source, to be paged through before preparing it."""
    where = {key: value for key, value in reading.items() if key in ("config", "split")}
    how = {key: value for key, value in reading.items() if key not in where}
    stream = Stream(locate(source, **where), limit=2 * FIRST_ROWS, **how)
    good = (checked.row for checked in stream if checked.row is not None and not checked.errors)
    return list(itertools.islice(good, FIRST_ROWS))


def row_parts(found: Inspection) -> list[tuple[str, str]]:
    """(part, what it is) of a format's rows, to be given a column each."""
    fields = formats().get(found.format) or dict.fromkeys(found.mapping, "")
    return list(fields.items())[: data_layout.MAX_PARTS]


def prepare_options(subject: Subject, cleaning: list[str], held_out: float) -> PrepareOptions:
    """The left column's choices as the engine's options."""
    chosen = {name: name in cleaning for _, name in data_layout.CLEANING}
    return PrepareOptions(**chosen, test_fraction=held_out / 100, **subject.reading)


def export_file(studio: Studio, dataset: PreparedDataset, suffix: str) -> Path:
    """The dataset's training rows as one file in the exports folder, made once."""
    folder = studio.workspace.exports / dataset.id
    folder.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^\w.-]+", "-", dataset.name).strip("-.") or "rows"
    path = folder / f"{name}-train.{suffix}"
    if path.exists():
        return path
    part = path.with_suffix(".part")
    if suffix == "parquet":
        shutil.copyfile(dataset.path("train"), part)
    else:
        with part.open("wb") as out:
            for batch in pq.ParquetFile(dataset.path("train")).iter_batches(1000):
                out.writelines(orjson.dumps(tidy(row)) + b"\n" for row in batch.to_pylist())
    part.replace(path)
    return path


def given(**values: str | None) -> dict[str, str]:
    return {name: value.strip() for name, value in values.items() if value and value.strip()}
