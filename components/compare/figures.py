"""Plotly figures of Compare: scores over a run's checkpoints, and the gain of best of n."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from components.ui.charts import BASE, LAYOUT, TUNED, axis
from components.ui.html import esc
from studio.metrics.figures import SHARES, metric_label, scored_text

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_COLORS = {"base": BASE, "tuned": TUNED}
_DASHES = ("solid", "dash", "dot", "dashdot")
_HEIGHT = 210  # pixels of a row of charts


def over_checkpoints(columns: Sequence[Mapping[str, Any]]) -> Figure | None:
    """Each metric against the training step, the base model at step 0, with its intervals.

    Args:
        columns: a score's `columns`, each with its `step`.

    Returns:
        Two charts per row; None where no metric has two points.
    """
    from plotly.subplots import make_subplots

    series: dict[str, list[tuple[float, ...]]] = {}
    for column in columns:
        for name, score in column["metrics"].items():
            value = score["value"]
            if value is not None:
                interval = (value, value) if score["low"] is None else (score["low"], score["high"])
                series.setdefault(name, []).append((column["step"], value, *interval))
    series = {name: points for name, points in series.items() if len(points) > 1}
    if not series:
        return None
    rows = -(-len(series) // 2)
    titles = [esc(metric_label(name)) for name in series]
    figure = make_subplots(rows, 2, subplot_titles=titles, vertical_spacing=0.24 / rows)
    for at, (name, points) in enumerate(series.items()):
        steps, values, _, _ = zip(*points, strict=True)
        figure.add_scatter(
            x=steps,
            y=values,
            mode="lines+markers",
            line={"color": TUNED, "width": 2},
            error_y={
                "array": [high - value for _, value, _, high in points],
                "arrayminus": [value - low for _, value, low, _ in points],
                "color": BASE,
                "thickness": 1.5,
            },
            customdata=[
                scored_text(name, {"value": value, "low": low, "high": high})
                for _, value, low, high in points
            ],
            hovertemplate="step %{x:,}: %{customdata}<extra></extra>",
            row=at // 2 + 1,
            col=at % 2 + 1,
        )
    figure.update_layout(**LAYOUT, height=40 + _HEIGHT * rows, showlegend=False)
    figure.update_annotations(font_size=13)
    figure.update_xaxes(**axis(showgrid=False, tickformat=",d"))
    figure.update_yaxes(**axis())
    for at, name in enumerate(series):
        if name in SHARES:
            figure.update_yaxes(tickformat=".0%", row=at // 2 + 1, col=at % 2 + 1)
    return figure


def best_of_n(
    labels: Sequence[str], kinds: Sequence[str], curves: Sequence[Sequence[float]]
) -> Figure:
    """The mean reward of the best of 1, 2, ... n answers, one line per model."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for at, (label, kind, curve) in enumerate(zip(labels, kinds, curves, strict=True)):
        figure.add_scatter(
            x=list(range(1, len(curve) + 1)),
            y=list(curve),
            name=esc(label),
            mode="lines+markers",
            line={"color": _COLORS.get(kind, TUNED), "width": 2, "dash": _DASHES[at]},
            hovertemplate="best of %{x}: %{y:.3g}",
        )
    longest = max(map(len, curves))
    figure.update_layout(
        **LAYOUT,
        height=60 + _HEIGHT,
        title={"text": "Mean reward of the best of n answers", "font_size": 13, "x": 0},
        legend={"orientation": "h", "y": -0.25},
        hovermode="x unified",
    )
    figure.update_xaxes(
        **axis(showgrid=False, title_text="n", tick0=1, dtick=max(1, longest // 8), nticks=None)
    )
    figure.update_yaxes(**axis())
    return figure
