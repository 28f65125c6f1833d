"""Memory by length, and rows by length: pure functions from figures to markup."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from components.calculator.memory_html import VERDICTS
from components.ui.html import esc
from studio.core import formatting
from studio.core.formatting import plural, thousands

if TYPE_CHECKING:
    from studio.calculator.by_length import LengthPoint, RowLengths

_WIDE, _HIGH = 300, 64  # of a viewBox


def length_curve(points: Sequence[LengthPoint], now: int, room: int) -> str:
    """Memory over lengths beside the GPU's, a row per length; a click chooses another.

    Buttons carry the length (`data-length`).
    """
    most = max(point.memory for point in points)
    span = max(most, min(room, 2 * most))
    limit = f'<u style="left:{100 * room / span:.2f}%"></u>' if room < span else ""
    rows = "".join(
        f'<li class="{"now" if point.max_length == now else ""}"><button type="button" '
        f'data-length="{point.max_length}" title="{esc(_hover(point))}">'
        f"<span>{thousands(point.max_length)}</span>"
        f"<i><b style='width:{max(0.6, 100 * point.memory / span):.2f}%'></b>{limit}</i>"
        f'<em class="v-{VERDICTS[point.verdict]}">{esc(formatting.bytes_text(point.memory))}</em>'
        f"<em>{_longer(point)}</em></button></li>"
        for point in points
    )
    longer = "rows longer" if points[0].rows_longer is not None else ""
    head = f'<li class="head"><span>tokens</span><i></i><em>memory</em><em>{longer}</em></li>'
    return f'<ol class="ranks lengths">{head}{rows}</ol>'


def _longer(point: LengthPoint) -> str:
    return "" if point.rows_longer is None else esc(formatting.percent_text(point.rows_longer))


def _hover(point: LengthPoint) -> str:
    return (
        f"{thousands(point.max_length)} tokens: {thousands(point.memory)} bytes, {point.verdict}; "
        f"shifted attention would save {formatting.percent_text(point.shifted_saves)} of a step"
    )


def row_histogram(rows: RowLengths, max_length: int) -> str:
    """Rows by length, those that need more than the base reads in another color."""
    end, most = rows.edges[-1], max(rows.counts)
    reads = rows.reads or end
    bars = "".join(
        f'<rect class="{"beyond" if start >= reads else ""}" x="{_WIDE * start / end:.2f}" '
        f'y="{_HIGH * (1 - count / most):.2f}" width="{_WIDE * (after - start) / end - 0.5:.2f}" '
        f'height="{_HIGH * count / most:.2f}"><title>{start:,} to {after - 1:,} tokens: '
        f"{plural(count, 'row')}</title></rect>"
        for start, after, count in zip(rows.edges, rows.edges[1:], rows.counts, strict=False)
        if count
    )
    marks = _mark("base", rows.reads, end, "the base reads")
    marks += _mark("tuned", max_length, end, "max_length")
    said = f"Rows by length, up to {end - 1:,} tokens ({plural(rows.rows, 'row')} measured)."
    if rows.reads:
        share = formatting.percent_text(rows.beyond or 0)
        said += f" {share} need more than the {rows.reads:,} tokens that the base reads."
    return (
        f'<figure class="row-lengths"><svg viewBox="0 0 {_WIDE} {_HIGH}" '
        f'preserveAspectRatio="none" role="img" aria-label="{esc(said)}">{bars}{marks}</svg>'
        f"<figcaption>{esc(said)}</figcaption></figure>"
    )


def _mark(kind: str, at: int | None, end: int, title: str) -> str:
    """A dashed line at a length, where it lies among the rows."""
    if not at or at >= end:
        return ""
    x = f"{_WIDE * at / end:.2f}"
    return (
        f'<line class="{kind}" x1="{x}" x2="{x}" y1="0" y2="{_HIGH}">'
        f"<title>{title}: {at:,} tokens</title></line>"
    )
