"""One recipe, several values of a knob or two: the runs of a sweep. No torch here."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import yaml

from studio.core.errors import ConfigError, did_you_mean
from studio.runs.recipe import Recipe

MOST = 24
"""Runs of one sweep; more is a mistake rather than a wish."""
_KNOBS = 2
_FIXED = ("name", "objective", "method", "model_name_or_path", "dataset_name", "start_from")


def sweep(recipe: Recipe, values: Mapping[str, Sequence[object]]) -> list[Recipe]:
    """A recipe for every combination, each named after what is its own.

    Args:
        values: one or two knobs by name, each with the values to try.

    Raises:
        ConfigError: for a knob there is none, a value that it refuses, or too many runs.
    """
    given = {knob: list(dict.fromkeys(each)) for knob, each in values.items() if each}
    if not 0 < len(given) <= _KNOBS:
        raise ConfigError("A sweep tries several values of one knob, or of two.")
    for knob in given:
        if knob in _FIXED or knob not in Recipe.model_fields:
            known = [name for name in Recipe.model_fields if name not in _FIXED]
            raise ConfigError(f"{knob!r} cannot be swept.{did_you_mean(knob, known)}")
    combinations = list(itertools.product(*given.values()))
    if len(combinations) > MOST:
        raise ConfigError(f"That would be {len(combinations)} runs; a sweep has at most {MOST}.")
    recipes = []
    for combination in combinations:
        settings = dict(zip(given, combination, strict=True))
        told = ", ".join(f"{knob} {_said(value)}" for knob, value in settings.items())
        name = f"{recipe.name or recipe.objective} {told}"
        recipes.append(recipe.with_(**settings, name=name[:120]))
    return recipes


def values_of(text: str) -> list[object]:
    """`0.05, 0.1 0.3` -> [0.05, 0.1, 0.3]: values as a person types them, as YAML reads them."""
    parts = [part for part in text.replace(",", " ").split() if part]
    return [_value(part) for part in parts]


def _value(part: str) -> object:
    try:
        number = float(part)
    except ValueError:
        return yaml.safe_load(part)
    return int(number) if number.is_integer() and part.lstrip("+-").isdigit() else number


def _said(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
