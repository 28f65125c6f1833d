"""Recipes by goal, from `presets/goals.yaml`: for any model and rows, with what to expect."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from studio.core.workspace import PRESETS

FILE = PRESETS / "goals.yaml"
_SAMPLES = {"dpo": "pocket-preference", "grpo": "pocket-questions"}


@dataclass(frozen=True)
class Goal:
    """One goal: its recipe's objective, method and fields, what to expect, and what goes wrong."""

    slug: str
    label: str
    objective: str
    method: str
    fields: Mapping[str, Any]
    expect: str
    wrong: str

    def values(self, model: str = "", dataset: str = "") -> dict[str, Any]:
        """The recipe's values on a model and rows; the built-in ones where none are given."""
        return {
            "objective": self.objective,
            "method": self.method,
            "name": self.slug,
            "dataset_name": dataset or _SAMPLES.get(self.objective, "pocket-sft"),
            **({"model_name_or_path": model} if model else {}),
            **self.fields,
        }


@functools.cache
def goals() -> dict[str, Goal]:
    """Every goal by its slug."""
    found = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return {one["slug"]: Goal(**one) for one in found}
