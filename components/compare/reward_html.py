"""Rewards of a comparison's answers: means, differences and best-of-n curves."""

from __future__ import annotations

from statistics import mode
from typing import TYPE_CHECKING, Any

from components.compare.evaluation_html import result
from components.compare.figures import best_of_n
from studio.metrics.bootstrap import bootstrap_mean
from studio.rewards.best_of_n import gain
from studio.workflows.comparisons import LETTERS, Comparison

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def summary(comparison: Comparison) -> str:
    """Mean rewards with intervals, and how they differ from the first model's."""
    if not comparison.rewards:
        return (
            '<p class="none">Every answer gets a reward, stored apart from people\'s votes. With '
            "several samples per prompt, the mean reward of the best of n is shown as well.</p>"
        )
    labels = _labels(comparison)
    groups = comparison.groups()
    found = {
        "data": f"Reward: {comparison.reward}",
        "rows": len(groups),
        "unit": "prompt",
        "columns": [
            {"label": label, "error": None, "metrics": _figure(comparison.scored(at)[2])}
            for at, label in enumerate(labels)
        ],
        "differences": [
            {"a": labels[at], "b": labels[0], "metrics": _figure(_apart(comparison, at))}
            for at in range(1, len(labels))
        ],
    }
    return result(found)


def plot(comparison: Comparison) -> Figure | None:
    """The best-of-n curves; None without several rewarded answers to a prompt."""
    if not comparison.rewards:
        return None
    curves = [_gain(comparison.scored(at)[2]) for at in range(len(comparison.sides))]
    if all(len(each) < 2 for each in curves):
        return None
    return best_of_n(_labels(comparison), [side.kind for side in comparison.sides], curves)


def _labels(comparison: Comparison) -> list[str]:
    return [f"{LETTERS[at]} {side.label}" for at, side in enumerate(comparison.sides)]


def _figure(groups: list[list[float]]) -> dict[str, Any]:
    estimate = bootstrap_mean(groups)
    return {"reward": estimate.as_dict()} if estimate else {}


def _apart(comparison: Comparison, column: int) -> list[list[float]]:
    """Rewards of a model minus those of the first, by prompt."""
    pairs = [
        [(comparison.worth(column, at), comparison.worth(0, at)) for at in places]
        for places in comparison.groups()
    ]
    return [[a - b for a, b in each if a is not None and b is not None] for each in pairs]


def _gain(groups: list[list[float]]) -> list[float]:
    """The best-of-n curve over the prompts that were answered n times."""
    n = mode(map(len, groups)) if groups else 0
    return gain([each[:n] for each in groups if len(each) >= n]) if n else []
