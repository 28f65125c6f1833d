"""Histograms of the Data tab: pure functions from token counts to Plotly figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from plotly.graph_objects import Figure

BASE, LIT, REJECTED = "#64748b", "#c99a00", "#c77a0a"
"""Midtones, readable on light and dark backgrounds."""
BINS = 40
_SHARE = "#4b74e6"
_TAIL = 0.998  # the last bar collects all rows beyond this quantile


def histogram(
    values: np.ndarray, title: str, unit: str, *, color: str = BASE, limit: int | None = None
) -> Figure:
    """Histogram of integer `values`, one per row, with the cumulative share of rows.

    `limit` draws a line and colors the bars beyond it. The last bar collects the longest 0.2 % of
    the rows, so that one outlier does not flatten the rest.
    """
    import numpy as np
    import plotly.graph_objects as go

    figure = go.Figure(layout=_layout(title, unit))
    if not len(values):
        return figure
    top = max(int(np.quantile(values, _TAIL, method="higher")), 1)
    far_off = limit is not None and limit > 2 * top  # its line would squeeze all bars
    if limit is not None and not far_off:
        top = max(top, limit)
    width = max(1, -(-(top + 1) // BINS))
    start = int(values.min()) if width == 1 else 0
    edges = np.arange(start, top + width + 1, width)
    counts, _ = np.histogram(np.minimum(values, top), edges)
    middle = edges[:-1] + (width - 1) / 2
    ends = edges[1:] - 1
    share = np.searchsorted(np.sort(values), ends, side="right") / len(values) * 100
    over = [limit is not None and start > limit for start in edges[:-1].tolist()]
    last = len(counts) - 1
    names = [
        f"{start:,}" if width == 1 else f"{start:,} to {end:,}"
        for start, end in zip(edges[:-1].tolist(), ends.tolist(), strict=True)
    ]
    if values.max() > ends[last]:
        names[last] = f"{edges[last]:,} or more"
    if width == 1:
        figure.update_xaxes(tickmode="array", tickvals=edges[:-1], range=[start - 0.7, top + 0.7])
    figure.add_bar(
        x=middle,
        y=counts,
        width=width * 0.92,
        customdata=names,
        marker={"color": [REJECTED if far else color for far in over], "line": {"width": 0}},
        hovertemplate=f"%{{customdata}} {unit}: %{{y:,}} rows<extra></extra>",
    )
    figure.add_scatter(
        x=ends + 0.5,
        y=share,
        yaxis="y2",
        mode="lines",
        customdata=ends,
        line={"color": _SHARE, "width": 1.5, "shape": "hv" if width == 1 else "linear"},
        hovertemplate=f"%{{y:.1f}} % of the rows have %{{customdata:,}} {unit} or fewer"
        "<extra></extra>",
    )
    if counts.max() < 6:
        figure.update_layout(yaxis_dtick=1)  # no half rows
    if limit is not None:
        _draw_limit(figure, limit, far_off)
    return figure


def _draw_limit(figure: Figure, limit: int, far_off: bool) -> None:
    """Draw the limit as a line; one far beyond all rows is only labeled at the edge."""
    text = {
        "font": {"size": 11, "color": REJECTED},
        "showarrow": False,
        "yanchor": "bottom",
        "y": 1.0,
        "yref": "paper",
    }
    if far_off:
        words = f"limit {limit:,} \N{RIGHTWARDS ARROW}"
        figure.add_annotation(text=words, x=1.0, xref="paper", xanchor="right", **text)
        return
    line = {"color": REJECTED, "width": 2, "dash": "dash"}
    figure.add_vline(x=limit, line=line, annotation={"text": f"limit {limit:,}", **text})


def _layout(title: str, unit: str) -> dict[str, object]:
    axis = {
        "gridcolor": "rgba(128,136,150,.22)",
        "zeroline": False,
        "tickfont": {"size": 11},
        "nticks": 6,
        "showline": False,
        "ticks": "",
        "fixedrange": True,
    }
    head = (
        f"<b>{title}</b>  <span style='font-size:11px;color:{_SHARE}'>share of rows, right</span>"
    )
    return {
        "template": "none",
        "title": {
            "text": head,
            "font": {"size": 13},
            "x": 0.0,
            "y": 0.98,
            "xref": "container",
            "xanchor": "left",
            "yanchor": "top",
            "pad": {"l": 12, "t": 6},
        },
        "height": 240,
        "margin": {"l": 46, "r": 44, "t": 50, "b": 40},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "system-ui, sans-serif", "color": "#7a8394"},
        "hoverlabel": {
            "font": {"size": 12, "color": "#eef0f4"},
            "bgcolor": "#232a36",
            "bordercolor": "#232a36",
        },
        "bargap": 0,
        "showlegend": False,
        "xaxis": {
            **axis,
            "showgrid": False,
            "rangemode": "tozero",
            "tickformat": ",d",
            "title": {"text": unit, "font": {"size": 11}, "standoff": 6},
        },
        "yaxis": {**axis, "tickformat": ",d", "rangemode": "tozero"},
        "yaxis2": {
            **axis,
            "overlaying": "y",
            "side": "right",
            "range": [0, 102],
            "ticksuffix": " %",
            "showgrid": False,
        },
    }
