"""Estimates of runs in this workspace: its datasets' own lengths, its earlier runs' speed."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

from studio.calculator.gpus import THIS_MACHINE
from studio.data import SAMPLES, PrepareOptions
from studio.data.readers.sources import sample_path

if TYPE_CHECKING:
    from studio.calculator.dataset_lengths import Lengths
    from studio.calculator.estimates import RunEstimate
    from studio.engine.studio import Studio

SAMPLE_TYPES = {"pocket-sft": "conversational", "pocket-preference": "preference"}
"""The shipped samples that are trained on, and the type of their rows."""


def kind_of(studio: Studio, dataset: str | None) -> str | None:
    """The type of a dataset's rows, by its name or id, where it is known here."""
    for kept in studio.datasets.list():
        if dataset in (kept.id, kept.name):
            return kept.type
    return SAMPLE_TYPES.get(dataset or "")


def estimate_here(studio: Studio, recipe: Any, card: str | None = None) -> RunEstimate:
    """Estimate a recipe with what this workspace knows; the speed of earlier runs is for this
    machine only."""
    from studio.calculator.estimates import estimate_recipe
    from studio.calculator.measured_speed import earlier_speed

    speed = earlier_speed(studio.runs.list(), recipe) if card in (None, THIS_MACHINE) else None
    return estimate_recipe(
        recipe,
        card=card,
        lengths=dataset_lengths(studio, recipe),
        tokens_per_second=speed.tokens_per_second if speed else None,
    )


def dataset_lengths(studio: Studio, recipe: Any) -> Lengths | None:
    """What the recipe's training rows measure, or None for a dataset that is not prepared."""
    from studio.calculator import dataset_lengths as lengths

    name = recipe.dataset_name
    asked: dict[str, Any] = {
        "completion_only_loss": recipe.completion_only_loss,
        "assistant_only_loss": recipe.assistant_only_loss,
        "chat_template": recipe.chat_template_path,
    }
    model = recipe.model_name_or_path
    for dataset in studio.datasets.list():
        if name in (dataset.id, dataset.name):
            if not dataset.rows.get("train"):
                return None
            return lengths.of_rows(
                partial(dataset.load, "train"), dataset.fingerprint, dataset.type, model, **asked
            )
    if name in SAMPLES:
        return lengths.of_rows(
            partial(_sample_rows, name), name, SAMPLE_TYPES.get(name, ""), model, **asked
        )
    return None


def _sample_rows(alias: str) -> list[dict[str, Any]]:
    """A shipped sample's rows, less the share that preparing it would hold out."""
    with sample_path(alias).open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file if line.strip()]
    return rows[: round(len(rows) * (1 - PrepareOptions().test_fraction))]
