"""Sweeps: one recipe with several values of one or two fields. Imports no torch."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import yaml

from studio.core.errors import ConfigError, did_you_mean
from studio.runs.recipe import Recipe

MOST = 24
"""Maximum runs of a sweep."""
_FIELDS = 2
_FIXED = ("name", "objective", "method", "model_name_or_path", "dataset_name", "start_from")


def sweep(recipe: Recipe, values: Mapping[str, Sequence[object]]) -> list[Recipe]:
    """A recipe for every combination, named after its own values.

    Args:
        values: one or two fields by name, each with the values to try.

    Raises:
        ConfigError: for an unknown field, a value that it refuses, or too many runs.
    """
    given = {name: list(dict.fromkeys(each)) for name, each in values.items() if each}
    if not 0 < len(given) <= _FIELDS:
        raise ConfigError("A sweep needs values for one or two fields.")
    for field in given:
        if field in _FIXED or field not in Recipe.model_fields:
            known = [name for name in Recipe.model_fields if name not in _FIXED]
            raise ConfigError(f"{field!r} cannot be swept.{did_you_mean(field, known)}")
    combinations = list(itertools.product(*given.values()))
    if len(combinations) > MOST:
        raise ConfigError(
            f"These are {len(combinations)} runs; a sweep has at most {MOST}. Try fewer values."
        )
    recipes: list[Recipe] = []
    for combination in combinations:
        settings = dict(zip(given, combination, strict=True))
        suffix = ", ".join(f"{field} {_text(value)}" for field, value in settings.items())
        name = f"{recipe.name or recipe.objective} {suffix}"
        recipes.append(recipe.with_(**settings, name=name[:120]))
    return recipes


def values_of(text: str) -> list[object]:
    """`0.05, 0.1 0.3` -> [0.05, 0.1, 0.3]: typed values, each read as YAML."""
    parts = [part for part in text.replace(",", " ").split() if part]
    return [_value(part) for part in parts]


def _value(part: str) -> object:
    try:
        number = float(part)
    except ValueError:
        return yaml.safe_load(part)
    return int(number) if number.is_integer() and part.lstrip("+-").isdigit() else number


def _text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
