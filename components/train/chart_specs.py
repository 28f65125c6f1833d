"""Which charts a run has: pure functions from the metrics' names to a plan.

`static/train_charts.js` draws them; it keeps the points, so that only new ones are sent. Colors are
names of CSS variables, so light and dark mode need nothing here.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Line:
    """One series on a chart, with its held-out counterpart."""

    key: str
    label: str = "train"
    colour: str = "tuned"
    dash: bool = False

    @property
    def held_out(self) -> str:
        return f"eval_{self.key}"


@dataclass(frozen=True)
class Chart:
    """A chart: its title, its series, and the unit of its values.

    `unit` is "" for a plain number, "share" (a fraction, drawn in percent), "rate" (as 2e-4) or
    "bytes".
    """

    title: str
    lines: tuple[Line, ...]
    unit: str = ""
    small: bool = False
    smooth: bool = True


def _pair(title: str, prefix: str, small: bool = False) -> Chart:
    chosen = Line(f"{prefix}/chosen", "chosen", "chosen")
    rejected = Line(f"{prefix}/rejected", "rejected", "rejected", True)
    return Chart(title, (chosen, rejected), small=small)


CHARTS: tuple[Chart, ...] = (
    Chart("Loss", (Line("loss"),)),
    Chart("Reward", (Line("reward"),)),
    Chart("Groups without reward variance", (Line("frac_reward_zero_std"),), "share"),
    Chart("Completion length", (Line("completions/mean_length"),)),
    Chart("Completions cut off", (Line("completions/clipped_ratio"),), "share"),
    Chart("Reward margin", (Line("rewards/margins"),)),
    Chart("Reward accuracy", (Line("rewards/accuracies"),), "share"),
    _pair("Rewards", "rewards"),
    _pair("Log-probabilities", "logps"),
    Chart("Accuracy", (Line("accuracy"),), "share"),
    Chart("Margin", (Line("margin"),)),
    Chart("KL to reference", (Line("kl"),)),
    Chart("Token accuracy", (Line("mean_token_accuracy"),), "share"),
    _pair("Logits", "logits", small=True),
    Chart("Entropy", (Line("entropy"),), small=True),
    Chart("Clipped updates", (Line("clip_ratio/region_mean"),), "share", small=True),
    Chart("Gradient norm", (Line("grad_norm", colour="base"),), small=True),
    Chart(
        "Learning rate", (Line("learning_rate", colour="base"),), "rate", small=True, smooth=False
    ),
    Chart("Tokens/s", (Line("tokens/s", colour="base"),), small=True),
    Chart("Memory", (Line("memory", colour="base"),), "bytes", small=True, smooth=False),
)
"""In page order; a run has those whose metrics it logs."""
_PART = re.compile(r"rewards/(.+)/mean")
_DETAIL = re.compile(r"(clip_ratio|completions)/|(reward_std|step_time)$|rewards/.+/std$")
"""Spreads and extremes that TRL logs beside a metric that is drawn: they stay in the log."""
_KNOWN = {line.key for chart in CHARTS for line in chart.lines}


def charts_for(measured: Collection[str]) -> list[Chart]:
    """The charts for these metrics: known ones in their order, then any others.

    On a preference run token accuracy is small, since the preference matters there. With online RL
    the loss, which hovers around 0, swaps places with the entropy, and each term of the reward
    leads the small charts.
    """
    preference, rewarded = "rewards/margins" in measured, "frac_reward_zero_std" in measured
    charts = []
    for chart in CHARTS:
        lines = tuple(line for line in chart.lines if line.key in measured)
        if lines:
            small = chart.small
            if preference and chart.title == "Token accuracy":
                small = True
            if rewarded and chart.title in ("Loss", "Entropy"):
                small = chart.title == "Loss"
            charts.append(Chart(chart.title, lines, chart.unit, small, chart.smooth))
    others = sorted(key for key in set(measured) - _KNOWN if not _DETAIL.match(key))
    parts = {key: found[1] for key in others if (found := _PART.fullmatch(key))}
    rewards = [Chart(f"Reward, {name}", (Line(key),), small=True) for key, name in parts.items()]
    rest = [
        Chart(key.replace("_", " ").capitalize(), (Line(key, colour="base"),), small=True)
        for key in others
        if key not in parts
    ]
    return sorted([*rewards, *charts, *rest], key=lambda chart: chart.small)


def plan(measured: Collection[str]) -> list[dict[str, Any]]:
    """`charts_for` as `train_charts.js` takes it."""
    return [
        {
            **asdict(chart),
            "lines": [{**asdict(line), "held": line.held_out} for line in chart.lines],
        }
        for chart in charts_for(measured)
    ]
