"""Events to figures: pure functions from a run's series to Plotly.

A figure holds at most a thousand points a line, whatever the length of the run; peaks survive the
thinning. Colours are middle tones that stay readable on paper and on ink.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from components.history import Series

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

MOST = 1000
"""Points drawn a line at most."""
_ENOUGH = 20  # points before smoothing says more than it hides
BASE, TUNED, CHOSEN, REJECTED = "#64748b", "#8b63e0", "#0e9488", "#c77a0a"


@dataclass(frozen=True)
class Line:
    """One series on a chart."""

    key: str
    label: str
    colour: str = TUNED
    dash: str = "solid"
    noisy: bool = True
    """Worth smoothing: measured on each batch. Evaluations and schedules are shown as they are."""


@dataclass(frozen=True)
class Chart:
    """A small chart: what it is called and which series it draws."""

    title: str
    lines: tuple[Line, ...]
    share: bool = False
    """The values are shares of one, drawn as per cent."""


LOSS = Chart(
    "Loss", (Line("loss", "train"), Line("eval_loss", "held out", BASE, "dot", noisy=False))
)
RATE = Chart("Learning rate", (Line("learning_rate", "rate", BASE, noisy=False),))
NORM = Chart("Gradient norm", (Line("grad_norm", "norm", BASE),))
CHARTS: dict[str, tuple[Chart, ...]] = {
    "sft": (
        LOSS,
        Chart(
            "Token accuracy",
            (
                Line("mean_token_accuracy", "train"),
                Line("eval_mean_token_accuracy", "held out", BASE, "dot", noisy=False),
            ),
            share=True,
        ),
        RATE,
    ),
    "dpo": (
        LOSS,
        Chart(
            "Reward margin",
            (
                Line("rewards/margins", "train"),
                Line("eval_rewards/margins", "held out", BASE, "dot", noisy=False),
            ),
        ),
        Chart(
            "Reward accuracy",
            (
                Line("rewards/accuracies", "train"),
                Line("eval_rewards/accuracies", "held out", BASE, "dot", noisy=False),
            ),
            share=True,
        ),
        Chart(
            "Rewards",
            (
                Line("rewards/chosen", "chosen", CHOSEN),
                Line("rewards/rejected", "rejected", REJECTED, "dash"),
            ),
        ),
        Chart(
            "Log-probabilities",
            (
                Line("logps/chosen", "chosen", CHOSEN),
                Line("logps/rejected", "rejected", REJECTED, "dash"),
            ),
        ),
        RATE,
    ),
}
SLOTS = max(len(charts) for charts in CHARTS.values())


def charts_for(objective: str) -> tuple[Chart, ...]:
    """The charts of an objective; those of SFT for one not known here."""
    return CHARTS.get(objective, CHARTS["sft"])


# ---- numbers ------------------------------------------------------------------------------------


def thin(
    steps: Sequence[int], values: Sequence[float], most: int = MOST
) -> tuple[list[int], list[float]]:
    """At most `most` points, keeping the lowest and the highest of every stretch and both ends."""
    if len(steps) <= most:
        return list(steps), list(values)
    buckets = max(1, (most - 2) // 2)
    width = (len(steps) - 2) / buckets
    kept = [0]
    for bucket in range(buckets):
        start, end = 1 + int(bucket * width), 1 + int((bucket + 1) * width)
        stretch = range(start, min(end, len(steps) - 1))
        if stretch:
            low = min(stretch, key=lambda i: _order(values[i]))
            high = max(stretch, key=lambda i: _order(values[i]))
            kept.extend(sorted({low, high}))
    kept.append(len(steps) - 1)
    return [steps[i] for i in kept], [values[i] for i in kept]


def _order(value: float) -> float:
    return math.inf if math.isnan(value) else value


def smooth(values: Sequence[float], weight: float) -> list[float]:
    """Exponential moving average without the start's bias; NaN passes, weight 0 does nothing.

    `weight` is the share of the past, from 0 to below 1, as in TensorBoard.
    """
    if weight <= 0:
        return list(values)
    weight = min(weight, 0.999)
    out, mean, seen = [], 0.0, 0
    for value in values:
        if not math.isfinite(value):
            out.append(value)
            continue
        mean = mean * weight + (1 - weight) * value
        seen += 1
        out.append(mean / (1 - weight**seen))
    return out


# ---- figures ------------------------------------------------------------------------------------


def figure(chart: Chart, series: Mapping[str, Series], smoothing: float = 0.0) -> Figure:
    """A chart of a run's series. Smoothed lines keep their raw points behind them, faint."""
    import plotly.graph_objects as go

    figure = go.Figure(layout=_layout(chart, series))
    for line in chart.lines:
        one = series.get(line.key)
        if one is None or not len(one.steps):
            continue
        weight = smoothing if line.noisy and len(one.steps) >= _ENOUGH else 0.0
        if weight > 0:
            figure.add_trace(_trace(line, *thin(one.steps, one.values), chart, faint=True))
        figure.add_trace(_trace(line, *thin(one.steps, smooth(one.values, weight)), chart))
    return figure


def _trace(
    line: Line, steps: list[int], values: list[float], chart: Chart, faint: bool = False
) -> Any:
    import plotly.graph_objects as go

    few = len(steps) < 12 or (not line.noisy and line.dash == "dot")
    form = ".1%" if chart.share else ".4~g"
    return go.Scatter(
        x=steps,
        y=[float(f"{value:.5g}") if math.isfinite(value) else None for value in values],
        name=line.label,
        mode="lines+markers" if few and not faint else "lines",
        line={"color": line.colour, "width": 1 if faint else 2, "dash": line.dash},
        marker={"size": 5},
        opacity=0.3 if faint else 1.0,
        hoverinfo="skip" if faint else None,
        hovertemplate=None if faint else f"%{{y:{form}}}<extra>{line.label}</extra>",
        showlegend=False,
    )


def _layout(chart: Chart, series: Mapping[str, Series]) -> dict[str, Any]:
    grid = "rgba(128,136,150,.22)"
    axis = {
        "gridcolor": grid, "zeroline": False, "tickfont": {"size": 11}, "nticks": 5,
        "showline": False, "ticks": "", "fixedrange": False,
    }  # fmt: skip
    present = [line for line in chart.lines if line.key in series]
    return {
        "template": "none",
        "title": {
            "text": _title(chart, present), "font": {"size": 13}, "x": 0.0, "y": 0.97,
            "xref": "container", "xanchor": "left", "yanchor": "top", "pad": {"l": 12, "t": 6},
        },
        "height": 210,
        "margin": {"l": 40, "r": 14, "t": 38, "b": 26},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "system-ui, sans-serif", "color": "#7a8394"},
        "hovermode": "x unified",
        "hoverlabel": {"font": {"size": 12}, "bgcolor": "#232a36", "bordercolor": "#232a36",
                       "font_color": "#eef0f4"},
        "xaxis": {**axis, "showgrid": False, "rangemode": "tozero", "hoverformat": ",d",
                  "unifiedhovertitle": {"text": "step %{x:,d}"}},
        "yaxis": {
            **axis, "tickformat": ".0%" if chart.share else "", "exponentformat": "e",
            "automargin": True,
        },
        "uirevision": "kept",
        "dragmode": "zoom",
    }  # fmt: skip


_MARKS = {
    "solid": "\N{BOX DRAWINGS LIGHT HORIZONTAL}" * 2,
    "dot": "\N{MIDDLE DOT}" * 3,
    "dash": "\N{EN DASH} \N{EN DASH}",
}


def _title(chart: Chart, lines: Sequence[Line]) -> str:
    """The name, and where there are several lines a legend in their colours and dashes."""
    if len(lines) < 2:
        return f"<b>{chart.title}</b>"
    parts = (
        f'<span style="color:{line.colour}">{_MARKS[line.dash]}</span> {line.label}'
        for line in lines
    )
    return f"<b>{chart.title}</b>  <span style='font-size:11px'>{'  '.join(parts)}</span>"


def payload(figure: Figure) -> Any:
    """A figure as Gradio's plot takes it, without Plotly's own toolbar."""
    from gradio.components.plot import PlotData

    plain = json.loads(figure.to_json() or "{}")
    plain["config"] = {"displayModeBar": False, "doubleClick": "reset"}
    return PlotData(type="plotly", plot=json.dumps(plain))
