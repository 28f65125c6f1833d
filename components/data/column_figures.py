"""A small histogram for each column of the rows, all in one Plotly figure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from components.ui.charts import BASE, LAYOUT, TUNED, axis
from components.ui.compat import Update, shown_plot
from components.ui.html import esc
from studio.core.formatting import compact, plural, thousands

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from studio.data.prepared.browse import Rows
    from studio.data.prepared.column_shapes import ColumnShape

MOST = 12  # columns drawn
_BINS, _HIGH, _TAIL = 20, 150, 0.995
_LONG = 18  # characters of a category's name below its bar


def columns(rows: Rows | None) -> tuple[str, Update]:
    """The heading, and the update of the plot; both empty without rows."""
    if rows is None:
        return "", shown_plot(None)
    from studio.data.prepared.column_shapes import column_shapes

    there = rows.trainable()
    shapes, looked = column_shapes(there)
    return said(shapes, looked, len(there)), shown_plot(columns_figure(shapes))


def columns_figure(shapes: Sequence[ColumnShape]) -> Figure | None:
    """Lengths and numbers in bins, categories as bars; two columns wide. None without columns."""
    from plotly.subplots import make_subplots

    drawn = list(shapes[:MOST])
    if not drawn:
        return None
    rows = -(-len(drawn) // 2)
    titles = [_title(shape) for shape in drawn]
    figure = make_subplots(rows, 2, subplot_titles=titles, vertical_spacing=0.36 / rows)
    for at, shape in enumerate(drawn):
        where = {"row": at // 2 + 1, "col": at % 2 + 1}
        if shape.kind == "category":
            _add_categories(figure, shape, where)
        else:
            _add_bins(figure, shape, where)
    figure.update_layout(**LAYOUT, height=60 + _HIGH * rows, showlegend=False, bargap=0.08)
    figure.update_annotations(font_size=12)
    figure.update_xaxes(**axis(showgrid=False, nticks=5))
    figure.update_yaxes(**axis(nticks=3, tickformat=",d", rangemode="tozero"))
    return figure


def said(shapes: Sequence[ColumnShape], looked: int, rows: int) -> str:
    """What the figure is of, in a sentence."""
    if not shapes:
        return ""
    of = f"every {plural(rows, 'row')}" if rows == 1 else f"all {plural(rows, 'row')}"
    if looked < rows:
        of = f"{thousands(looked)} of {plural(rows, 'row')}, evenly spaced"
    left = f"; {plural(len(shapes) - MOST, 'column')} more not drawn" if len(shapes) > MOST else ""
    return f'<h3 class="columns-head">Columns <small>of {of}{left}</small></h3>'


def _title(shape: ColumnShape) -> str:
    unit = {"length": shape.unit, "number": "value", "category": "categories"}[shape.kind]
    empty = f", {thousands(shape.empty)} empty" if shape.empty else ""
    return f"<b>{esc(shape.name)}</b>  {unit}{empty}"


def _add_categories(figure: Figure, shape: ColumnShape, where: dict[str, int]) -> None:
    names = [name if len(name) <= _LONG else f"{name[: _LONG - 1]}…" for name, _ in shape.counts]
    figure.add_bar(
        x=list(range(len(names))),
        y=[rows for _, rows in shape.counts],
        customdata=[esc(name) for name, _ in shape.counts],
        marker={"color": TUNED, "line": {"width": 0}},
        hovertemplate="%{customdata}: %{y:,} rows<extra></extra>",
        **where,
    )
    figure.update_xaxes(
        tickmode="array",
        tickvals=list(range(len(names))),
        ticktext=[*map(esc, names)],
        row=where["row"],
        col=where["col"],
    )


def _add_bins(figure: Figure, shape: ColumnShape, where: dict[str, int]) -> None:
    """Bars of equal width; the last one also holds the longest few of lengths, so that one outlier
    does not flatten the rest."""
    import numpy as np

    values: Any = shape.values
    if not len(values):
        return
    if shape.kind == "length":
        top = max(int(np.quantile(values, _TAIL, method="higher")), 1)
        width = max(1, -(-(top + 1) // _BINS))
        edges = np.arange(0, top + width + 1, width)
        counts, _ = np.histogram(np.minimum(values, top), edges)
        names = [f"{start:,} to {start + width - 1:,} {shape.unit}" for start in edges[:-1]]
        if values.max() >= edges[-1]:
            names[-1] = f"{edges[-2]:,} or more {shape.unit}"
    else:
        counts, edges = np.histogram(values, _BINS)
        names = [f"{compact(a)} to {compact(b)}" for a, b in pairwise(edges)]
    figure.add_bar(
        x=(edges[:-1] + edges[1:]) / 2,
        y=counts,
        width=np.diff(edges) * 0.92,
        customdata=names,
        marker={"color": BASE, "line": {"width": 0}},
        hovertemplate="%{customdata}: %{y:,} rows<extra></extra>",
        **where,
    )
