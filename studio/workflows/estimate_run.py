"""Estimates of runs in this workspace: its datasets' own lengths, its earlier runs' speed."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

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

    here = gpu in (None, THIS_MACHINE)
    chosen = gpu_for(recipe, gpu)
    speed = earlier_speed(studio.runs.list(), recipe) if here else None
    if speed:
        chosen = replace(chosen, tokens_per_second=speed.tokens_per_second)
    return estimate(recipe, chosen, lengths or dataset_lengths(studio, recipe))


def dataset_lengths(studio: Studio, recipe: Recipe) -> Lengths | None:
    """The lengths of the recipe's training rows, or None for a dataset that is not prepared."""
    from studio.calculator.dataset_lengths import lengths_of

    name = recipe.dataset_name
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
