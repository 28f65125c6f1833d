"""Rewards of answers in Compare: figures, margins and best-of-n curves. Pure markup."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mode
from typing import Any

from components.compare.evaluation_html import result
from components.ui.charts import HIGH, WIDE, legend
from studio.metrics.bootstrap import bootstrap_mean
from studio.rewards.best_of_n import gain
from studio.workflows.comparisons import LETTERS, Comparison


def worth(comparison: Comparison) -> str:
    """Mean rewards with intervals, beside the first column, and what the best of n is worth."""
    if not comparison.rewards:
        return (
            '<p class="none">Every answer gets a number, kept apart from people\'s votes. With '
            "several samples a prompt, also what the best of them is worth.</p>"
        )
    labels = [f"{LETTERS[at]} {side.label}" for at, side in enumerate(comparison.sides)]
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
    curves = [_gain(comparison.scored(at)[2]) for at in range(len(labels))]
    kinds = [side.kind for side in comparison.sides]
    drawn = gain_curves(labels, kinds, curves) if any(len(each) > 1 for each in curves) else ""
    return result(found) + drawn


def _figure(groups: list[list[float]]) -> dict[str, Any]:
    estimate = bootstrap_mean(groups)
    return {"reward": estimate.as_dict()} if estimate else {}


def _apart(comparison: Comparison, column: int) -> list[list[float]]:
    """Rewards of a column minus those of the first, by prompt."""
    pairs = [
        [(comparison.worth(column, at), comparison.worth(0, at)) for at in places]
        for places in comparison.groups()
    ]
    return [[a - b for a, b in each if a is not None and b is not None] for each in pairs]


def _gain(groups: list[list[float]]) -> list[float]:
    """The curve of the best of n, over the prompts that were answered n times."""
    n = mode(map(len, groups)) if groups else 0
    return gain([each[:n] for each in groups if len(each) >= n]) if n else []


def gain_curves(
    labels: Sequence[str], kinds: Sequence[str], curves: Sequence[Sequence[float]]
) -> str:
    """The mean reward of the best of 1, 2, ... n answers, a line a column."""
    left, bottom, right = 58.0, HIGH + 40, WIDE - 30
    n = max(map(len, curves))
    values = [value for curve in curves for value in curve]
    low, high = min(values), max(values)
    reach = high - low or 1.0

    def at(k: int, value: float) -> tuple[float, float]:
        share = (value - low) / reach
        return left + (right - left) * (k - 1) / (n - 1), bottom - (bottom - 12) * share

    lines = "".join(
        _line(kinds[column], LETTERS[column], [(*at(k, v), k, v) for k, v in enumerate(curve, 1)])
        for column, curve in enumerate(curves)
        if curve
    )
    ticks = "".join(
        f'<text x="{at(k, low)[0]:.1f}" y="{bottom + 16}" text-anchor="middle">{k}</text>'
        for k in (range(1, n + 1) if n <= 16 else (1, n))
    )
    scale = "".join(
        f'<text x="{left - 8}" y="{at(1, value)[1] + 4:.1f}" text-anchor="end">{value:.3g}</text>'
        for value in dict.fromkeys((low, high))
    )
    return (
        '<section class="reward-gain"><h4>Mean reward of the best of so many answers</h4>'
        f'<svg class="reward-bars" viewBox="0 0 {WIDE:.0f} {bottom + 22:.0f}" role="img" '
        f'aria-label="Mean reward of the best of 1 to {n} answers"><path class="axis" '
        f'd="M{left - 2} 8V{bottom + 2}H{right}"/>{lines}{ticks}{scale}</svg>'
        f"{legend(zip(labels, kinds, strict=True))}</section>"
    )


def _line(kind: str, letter: str, points: Sequence[tuple[float, float, int, float]]) -> str:
    """One column's curve: (x, y, of how many, reward) a point."""
    dots = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3"><title>best of {k}: {value:.3g}</title></circle>'
        for x, y, k, value in points
    )
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y, *_ in points)
    x, y, *_ = points[-1]
    return (
        f'<g class="of-{kind}"><polyline points="{line}"/>{dots}'
        f'<text x="{x + 8:.1f}" y="{y + 4:.1f}">{letter}</text></g>'
    )
