"""A metric's name and its figures for people: shares in per cent, the rest in its own unit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio.core.formatting import percent_range, percent_text, points

_WRITTEN = {
    "rouge_l": "ROUGE-L",
    "distinct_2": "distinct-2",
    "repeated_4grams": "repeated 4-grams",
    "valid_json": "valid JSON",
    "kl_from_base": "KL from base",
}
SHARES = frozenset(
    {
        *("token_accuracy", "preference_accuracy", "reward_accuracy", "choice_accuracy"),
        *("exact_match", "numeric_match", "contains", "regex"),
        *("right_tool", "right_arguments", "valid_json"),
        *("empty_rate", "refusal_rate", "cut_thoughts", "repeated_4grams"),
    }
)
"""Metrics between 0 and 1 that count: rows, tokens or 4-grams. ROUGE-L and distinct-2 are written
as their makers write them."""


def metric_label(name: str) -> str:
    """A metric's name for people, as its makers write it."""
    return _WRITTEN.get(name, name.replace("_", " "))


def value_text(name: str, value: float) -> str:
    """`83.4 %` of a share, four significant digits of anything else."""
    return percent_text(value) if name in SHARES else f"{value:.4g}"


def interval_text(name: str, low: float, high: float) -> str:
    """`40.1 to 80.2 %`, or `1.25 to 1.75`."""
    return percent_range(low, high) if name in SHARES else f"{low:.3g} to {high:.3g}"


def scored_text(name: str, figure: Mapping[str, Any]) -> str:
    """A value with its interval, where there is one: `83.4 % (79.0 to 87.1 %)`."""
    value = value_text(name, figure["value"])
    if figure.get("low") is None:
        return value
    return f"{value} ({interval_text(name, figure['low'], figure['high'])})"


def difference_text(name: str, figure: Mapping[str, Any]) -> str:
    """A difference with its interval: `+4.0 points (-1.2 to +9.1)`, `-0.5 (-0.7 to -0.3)`."""
    share = name in SHARES
    if figure.get("low") is None:
        value = figure["value"]
        return f"{100 * value:+.1f} points" if share else f"{value:+.4g}"
    if share:
        return points(figure)
    return f"{figure['value']:+.4g} ({figure['low']:+.3g} to {figure['high']:+.3g})"
