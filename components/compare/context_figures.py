"""What models make of a longer context: losses by position, and heat maps of found facts."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from components.ui.charts import BASE, LAYOUT, TUNED, axis
from components.ui.html import esc
from studio.core.formatting import percent_range

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

SCALED = "#4b74e6"
"""The base with the run's RoPE alone: a mid tone between the two."""
_SHADES = [[0.0, "rgba(128,136,150,.12)"], [1.0, TUNED]]
_HEIGHT = 300


def losses(found: Mapping[str, Any]) -> Figure:
    """Mean loss a token by its place in the row, a line per column."""
    import plotly.graph_objects as go

    figure = go.Figure()
    colors = _colors(found["columns"])
    for column, color in zip(found["columns"], colors, strict=True):
        bins = [one for one in column["bins"] if one["loss"] is not None]
        figure.add_scatter(
            x=[(one["start"] + one["end"]) / 2 for one in bins],
            y=[one["loss"] for one in bins],
            name=esc(column["label"]),
            mode="lines+markers",
            line={"color": color, "width": 2},
            customdata=[[one["start"], one["end"], one["tokens"]] for one in bins],
            hovertemplate="tokens %{customdata[0]:,} to %{customdata[1]:,}: %{y:.3f} nats "
            "(%{customdata[2]:,} tokens)",
        )
    figure.update_layout(
        **LAYOUT,
        height=_HEIGHT,
        title={"text": "Mean loss in nats, by position in tokens", "font_size": 13, "x": 0},
        legend={"orientation": "h", "y": -0.2},
    )
    read = [one for column in found["columns"] for one in column["bins"] if one["tokens"]]
    edges = sorted({one[side] for one in read for side in ("start", "end")}) or [0]
    shown = edges[:: 1 + len(edges) // 10]  # as many as a phone has room for
    where = {"tickvals": shown, "range": [edges[0], edges[-1]], "nticks": None}
    figure.update_xaxes(**axis(showgrid=False, tickformat=",d", **where))
    figure.update_yaxes(**axis())
    return figure


def needles(found: Mapping[str, Any]) -> Figure | None:
    """The share of facts found by length and depth, a heat map per column; None without trials."""
    from plotly.subplots import make_subplots

    columns = [column for column in found["columns"] if column.get("needles")]
    if not columns:
        return None
    titles = [esc(textwrap.shorten(column["label"], 14, placeholder="...")) for column in columns]
    figure = make_subplots(1, len(columns), subplot_titles=titles, shared_yaxes=True)
    for at, column in enumerate(columns, 1):
        depths, lengths, shares, details = _grid(column["needles"])
        figure.add_heatmap(
            x=[f"{100 * depth:.0f} %" for depth in depths],
            y=[f"{length:,}" for length in lengths],
            z=shares,
            text=[[f"{100 * share:.0f}" for share in row] for row in shares],
            texttemplate="%{text}",
            textfont={"size": 9},  # the same in all grids, however narrow
            customdata=details,
            hovertemplate="%{y} tokens, fact %{x} deep: %{customdata[0]} of %{customdata[1]} found"
            "<br>95 % interval %{customdata[2]}"
            "<br>mean log-probability a token %{customdata[3]:.2f}<extra></extra>",
            colorscale=_SHADES,
            zmin=0,
            zmax=1,
            showscale=False,
            xgap=2,
            ygap=2,
            row=1,
            col=at,
        )
    digits = "digit" if found["digits"] == 1 else "digits"
    keys = f"Pass keys of {found['digits']} {digits}"
    hidden = "Facts" if found["facts"] else keys
    layout = {**LAYOUT, "margin": {**LAYOUT["margin"], "t": 64, "l": 60, "b": 48}}
    figure.update_layout(
        **layout,
        height=_HEIGHT,
        title={"text": f"{hidden} found, %, by depth and length", "font_size": 13, "x": 0},
    )
    figure.update_annotations(font_size=12)
    figure.update_xaxes(**axis(showgrid=False, nticks=None, type="category"))
    figure.update_yaxes(**axis(showgrid=False, nticks=None, type="category"))
    return figure


def _grid(
    cells: Sequence[Mapping[str, Any]],
) -> tuple[list[float], list[int], list[list[float]], list[list[list[Any]]]]:
    """(depths, lengths, shares, details), the latter two by length, then by depth."""
    depths = list(dict.fromkeys(cell["depth"] for cell in cells))
    lengths = list(dict.fromkeys(cell["length"] for cell in cells))
    at = {(cell["length"], cell["depth"]): cell for cell in cells}
    shares = [[at[length, depth]["found"] for depth in depths] for length in lengths]
    details = [[_details(at[length, depth]) for depth in depths] for length in lengths]
    return depths, lengths, shares, details


def _details(cell: Mapping[str, Any]) -> list[Any]:
    between = percent_range(cell["low"], cell["high"])
    return [cell["hits"], cell["trials"], between, cell["logp"]]


def _colors(columns: Sequence[Mapping[str, Any]]) -> list[str]:
    return [BASE, *[SCALED] * (len(columns) - 2), TUNED]
