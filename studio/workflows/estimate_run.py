"""Estimates of runs in this workspace: its datasets' own lengths, its earlier runs' speed."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from studio.core.errors import StudioError
from studio.data import SAMPLES, PrepareOptions
from studio.data.readers.sources import sample_path

if TYPE_CHECKING:
    from studio.calculator import Lengths, RowCount, RunEstimate
    from studio.engine.studio import Studio
    from studio.runs.recipe import Recipe

SAMPLE_TYPES = {"pocket-sft": "conversational", "pocket-preference": "preference"}
"""The shipped samples that are trained on, and the type of their rows."""


def kind_of(studio: Studio, dataset: str | None) -> str | None:
    """The type of a dataset's rows, by its name or ID, where it is known here."""
    for kept in studio.datasets.list():
        if dataset in (kept.id, kept.name):
            return kept.type
    return SAMPLE_TYPES.get(dataset or "")


def estimate_run(
    studio: Studio,
    recipe: Recipe,
    gpu: str | None = None,
    lengths: Lengths | RowCount | None = None,
) -> RunEstimate:
    """Estimate a recipe with what this workspace knows.

    `lengths` default to those of the recipe's dataset. The speed of earlier runs counts for this
    machine only, the default GPU.
    """
    from studio.calculator import estimate
    from studio.calculator.gpus import THIS_MACHINE, gpu_for
    from studio.calculator.measured_speed import earlier_speed

    recipe = _with_known_teacher(studio, recipe)
    here = gpu is None or gpu.startswith(THIS_MACHINE)
    chosen = gpu_for(recipe, gpu)
    speed = earlier_speed(studio.runs.list(), recipe) if here else None
    if speed:
        chosen = replace(chosen, tokens_per_second=speed.tokens_per_second)
    return estimate(recipe, chosen, lengths or dataset_lengths(studio, recipe))


def _with_known_teacher(studio: Studio, recipe: Recipe) -> Recipe:
    """A teacher that is a run counts as its model."""
    name = recipe.teacher_model_name_or_path
    if not name:
        return recipe
    try:
        return recipe.with_(teacher_model_name_or_path=studio.runs.get(name).model)
    except StudioError:
        return recipe


def advice(studio: Studio, recipe: Recipe) -> str:
    """What to choose otherwise before a run, from the lengths of its rows; empty for nothing."""
    from studio.calculator.advice import dpo_mix

    lengths = dataset_lengths(studio, recipe)
    return dpo_mix(recipe, lengths.rows, lengths.trained(recipe)) if lengths else ""


def dataset_lengths(studio: Studio, recipe: Recipe) -> Lengths | None:
    """The lengths of the recipe's training rows, or None for a dataset that is not prepared."""
    from studio.calculator.dataset_lengths import mixed

    if not recipe.datasets:
        return _lengths(studio, recipe, recipe.dataset_name)
    parts = mixture_parts(studio, recipe)
    return mixed([(part.lengths, part.rows) for part in parts]) if parts else None


@dataclass(frozen=True)
class MixturePart:
    """One dataset of a recipe's mixture: the rows drawn from it, of how many, and their lengths."""

    name: str
    rows: int
    of_rows: int
    lengths: Lengths

    def tokens(self, recipe: Recipe) -> float:
        """Tokens the model sees of it in an epoch, each sequence cut to `max_length`."""
        return self.rows * self.lengths.tokens(recipe)[0]

    def trained(self, recipe: Recipe) -> float:
        """Those of them that the loss counts."""
        return self.rows * self.lengths.trained(recipe)


def mixture_parts(studio: Studio, recipe: Recipe) -> list[MixturePart] | None:
    """What a recipe draws from each of its datasets; None where one is not prepared yet.

    Raises a `DataError` where a dataset gives no row.
    """
    from studio.runs.mixture import draw

    kept = {name: one for one in studio.datasets.list() for name in (one.id, one.name)}
    found: list[tuple[str, Lengths]] = []
    for entry in recipe.datasets:
        lengths = _lengths(studio, recipe, entry.path)
        if lengths is None:
            return None
        name = kept[entry.path].name if entry.path in kept else entry.path
        found.append((name, lengths))
    counts = draw(recipe, [lengths.rows for _, lengths in found]).counts(len(found))
    return [
        MixturePart(name, count, lengths.rows, lengths)
        for (name, lengths), count in zip(found, counts, strict=True)
    ]


def mixture_shares(studio: Studio, recipe: Recipe) -> list[dict[str, Any]]:
    """What the model will see of each dataset in an epoch, as JSON; empty where it is not known.

    `rows`, `tokens` and `trained_tokens` are counts, `share_of_...` parts of 1, `of_rows` the rows
    there are.
    """
    parts = (mixture_parts(studio, recipe) if recipe.datasets else None) or []
    columns = {
        "rows": [float(part.rows) for part in parts],
        "tokens": [part.tokens(recipe) for part in parts],
        "trained_tokens": [part.trained(recipe) for part in parts],
    }
    return [
        {"name": part.name, "of_rows": part.of_rows}
        | {name: round(values[at]) for name, values in columns.items()}
        | {
            f"share_of_{name}": values[at] / sum(values) if sum(values) else 0.0
            for name, values in columns.items()
        }
        for at, part in enumerate(parts)
    ]


def _lengths(studio: Studio, recipe: Recipe, name: str) -> Lengths | None:
    from studio.calculator.dataset_lengths import lengths_of

    for dataset in studio.datasets.list():
        if name in (dataset.id, dataset.name):
            if not dataset.rows.get("train"):
                return None
            rows: Any = partial(dataset.load, "train")
            return lengths_of(rows, dataset.fingerprint, dataset.type, recipe)
    if name in SAMPLES:
        return lengths_of(partial(_sample_rows, name), name, SAMPLE_TYPES.get(name, ""), recipe)
    return None


def _sample_rows(alias: str) -> list[dict[str, Any]]:
    """A shipped sample's rows, less the share that preparing it would hold out."""
    with sample_path(alias).open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file if line.strip()]
    return rows[: round(len(rows) * (1 - PrepareOptions().test_fraction))]
