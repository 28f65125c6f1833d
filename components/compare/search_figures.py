"""The map of an embedding run: base and tuned side by side, queries among documents."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from components.ui.charts import BASE, LAYOUT, TUNED, axis
from components.ui.html import esc
from studio.core.formatting import percent_text

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_COLORS = {"base": BASE, "tuned": TUNED}
_RIGHT = "#c99a00"
"""Queries: a mid tone that neither column has."""
_HEIGHT = 380
_LINE, _LONGEST = 60, 240  # characters of a text on hover
_TITLE = 16  # characters of a run's name


def vector_map(found: Mapping[str, Any]) -> Figure | None:
    """Two planes side by side, each the base's or the run's own PCA, titled with the share of the
    variance that it holds; texts are named on hover.

    Args:
        found: the result of a search or of a held-out set.

    Returns:
        None where no map was asked for.
    """
    from plotly.subplots import make_subplots

    drawn = found.get("map")
    if not drawn:
        return None
    names = {"base": "base", "tuned": textwrap.shorten(found["run"], _TITLE, placeholder="...")}
    titles = [
        f"{esc(name)}, {percent_text(drawn[side]['share'])}" for side, name in names.items()
    ]  # short enough to stand side by side on a phone
    figure = make_subplots(1, 2, subplot_titles=titles, horizontal_spacing=0.06)
    for column, side in enumerate(names, 1):
        first = {one["text"]: one for one in found[side]} if "query" in found else {}
        documents = [_document(text, first.get(text)) for text in drawn["documents"]]
        big = [text in first for text in drawn["documents"]]
        figure.add_scatter(
            **_points(drawn[side]["documents"], documents),
            name="documents",
            mode="markers",
            marker={
                "color": _COLORS[side],
                "size": [9 if one else 5 for one in big],
                "opacity": [0.95 if one or not first else 0.4 for one in big],
            },
            showlegend=False,
            row=1,
            col=column,
        )
        figure.add_scatter(
            **_points(drawn[side]["queries"], [f"<b>{_hover(q)}</b>" for q in drawn["queries"]]),
            name="query" if "query" in found else "queries",
            mode="markers",
            marker={
                "color": _RIGHT,
                "symbol": "star" if "query" in found else "diamond-open",
                "size": 14 if "query" in found else 6,
            },
            showlegend=False,
            row=1,
            col=column,
        )
    figure.update_layout(**LAYOUT, height=_HEIGHT)
    figure.update_annotations(font_size=13)
    figure.update_xaxes(**axis(showticklabels=False))
    figure.update_yaxes(**axis(showticklabels=False))
    return figure


def _points(points: Sequence[Sequence[float]], texts: Sequence[str]) -> dict[str, Any]:
    return {
        "x": [x for x, _ in points],
        "y": [y for _, y in points],
        "customdata": list(texts),
        "hovertemplate": "%{customdata}<extra></extra>",
    }


def _document(text: str, ranked: Mapping[str, Any] | None) -> str:
    """A document as it is named on hover, with its place where it is among the first."""
    head = f"#{ranked['rank']}, cosine {ranked['similarity']:.3f}<br>" if ranked else ""
    return head + _hover(text)


def _hover(text: str) -> str:
    """Escaped lines of a text, which Plotly does not break by itself."""
    shown = text if len(text) <= _LONGEST else text[:_LONGEST] + " ..."
    return "<br>".join(esc(line) for line in textwrap.wrap(shown, _LINE)) or "(empty)"
