"""Charts that several tabs draw: interval plots as markup, and the look of Plotly figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from components.ui.html import esc
from studio.core.formatting import percent_range, percent_text

WIDE, HIGH = 480.0, 120.0  # of a curve or a histogram
BASE, TUNED = "#64748b", "#8b63d9"
"""Mid tones, readable in light and dark mode: a figure cannot use the page's CSS variables."""
LAYOUT: dict[str, Any] = {
    "template": "none",
    "margin": {"l": 52, "r": 16, "t": 40, "b": 40},
    "paper_bgcolor": "rgba(0,0,0,0)",
    "plot_bgcolor": "rgba(0,0,0,0)",
    "font": {"family": "system-ui, sans-serif", "size": 12, "color": "#7a8394"},
    "hoverlabel": {"font": {"color": "#eef0f4"}, "bgcolor": "#232a36", "bordercolor": "#232a36"},
}


def axis(**settings: Any) -> dict[str, Any]:
    """A quiet Plotly axis."""
    return {
        "gridcolor": "rgba(128,136,150,.22)",
        "zeroline": False,
        "nticks": 6,
        "tickfont": {"size": 11},
        "fixedrange": True,
        **settings,
    }


def legend(named: Iterable[tuple[str, str]]) -> str:
    """(name, color) of each group."""
    spans = "".join(f'<span class="of-{kind}">{esc(name)}</span>' for name, kind in named)
    return f'<p class="reward-legend">{spans}</p>'


def forest(
    rows: Sequence[tuple[str, float, float, float]],
    zero: float = 0.0,
    span: tuple[float, float] | None = None,
    each_own_scale: bool = False,
    shares: bool = False,
    written: Sequence[str] = (),
) -> str:
    """One line per value with its interval, beside a dashed line that marks no difference.

    Markup rather than Plotly: it is a table of values first, it also stands in panels that scripts
    draw (Label), where no `gr.Plot` can be, and it costs no 4.6 MB of plotly.js.

    Args:
        rows: (name, value, low, high).
        span: the axis; by default wide enough for all rows, or for each row by itself.
        shares: write percentages.
        written: each row's text instead, its value first.
    """
    reach = max((abs(end - zero) for row in rows for end in row[1:]), default=1.0) or 1.0
    low, high = span or (zero - reach, zero + reach)
    lines = []
    for at, (name, value, left, right) in enumerate(rows):
        if each_own_scale:  # metrics have units of their own: only the sign compares
            reach = max(abs(left - zero), abs(right - zero), 1e-12)
            low, high = zero - reach * 1.05, zero + reach * 1.05
        start, end, dot, even = (
            100 * (point - low) / (high - low) for point in (left, right, value, zero)
        )
        figures = f"{value:+.3g}</b> ({left:+.3g} to {right:+.3g})"
        if shares:
            figures = f"{percent_text(value)}</b> ({percent_range(left, right)})"
        if written:
            figure, _, interval = written[at].partition(" (")
            figures = f"{figure}</b> ({interval}" if interval else f"{figure}</b>"
        plain = figures.replace("</b>", "")
        lines.append(
            f'<li title="{esc(name)}: {plain}">'
            f'<span>{esc(name)}</span><i class="axis"><i class="even" style="left:{even:.1f}%"></i>'
            f'<i class="reach" style="left:{start:.1f}%;width:{end - start:.1f}%"></i>'
            f'<i class="dot" style="left:{dot:.1f}%"></i></i><span><b>{figures}</span></li>'
        )
    return f'<ul class="forest">{"".join(lines)}</ul>'
