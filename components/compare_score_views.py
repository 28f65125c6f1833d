"""Markup of scores and votes: tables with intervals, and a plot of differences or win rates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from components.common import empty_state, esc, notice, plural, thousands
from studio.errors import ConfigError
from studio.scoring.request import METRICS

if TYPE_CHECKING:
    from studio.preference import LabelStore, WinRate

_WIDTH, _ROW, _LEFT, _RIGHT = 760.0, 26.0, 220.0, 150.0


def empty() -> str:
    return empty_state(
        "How good, in figures",
        "Choose rows with known answers: every column is scored on them, and every tuned column "
        "beside the first on the same rows, with 95 % intervals over prompts.",
    )


def result(found: Mapping[str, Any]) -> str:
    """Figures per column, then what each column differs by from the first."""
    errors = "".join(
        notice("error", f"{column['label']}: {column['error']}")
        for column in found["columns"] if column["error"]
    )  # fmt: skip
    plots = "".join(_difference(each) for each in found["differences"] if each["metrics"])
    return (
        f'<div class="score-view">{errors}<p class="set-summary">{esc(found["data"])}: '
        f"{plural(found['rows'], 'row')}</p>{_table(found)}{plots}</div>"
    )


def _table(found: Mapping[str, Any]) -> str:
    columns = found["columns"]
    names = list(dict.fromkeys(name for column in columns for name in column["metrics"]))
    heads = "".join(f'<th scope="col">{esc(column["label"])}</th>' for column in columns)
    rows = "".join(
        f'<tr title="{esc(METRICS[name][1])}"><th scope="row">{esc(name.replace("_", " "))}</th>'
        f"{''.join(_cell(column['metrics'].get(name)) for column in columns)}</tr>"
        for name in names
    )
    return (
        f'<div class="score-table"><table><thead><tr><th></th>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _cell(figure: Mapping[str, Any] | None) -> str:
    if not figure or figure["value"] is None:
        return "<td>\N{EN DASH}</td>"
    spread = ""
    if figure["low"] is not None:
        spread = f"<span>{figure['low']:.3g} to {figure['high']:.3g}</span>"
    return f"<td>{figure['value']:.4g}{spread}</td>"


def _difference(found: Mapping[str, Any]) -> str:
    rows = [
        (name.replace("_", " "), figure["value"], figure["low"], figure["high"])
        for name, figure in found["metrics"].items()
    ]
    return (
        f"<section><h4>{esc(found['a'])} minus {esc(found['b'])}, on the same rows</h4>"
        f"{forest(rows, each_own_scale=True)}</section>"
    )


def forest(
    rows: Sequence[tuple[str, float, float, float]], zero: float = 0.0,
    span: tuple[float, float] | None = None, each_own_scale: bool = False,
) -> str:  # fmt: skip
    """A line a figure with its interval, beside a dashed line where there is no difference.

    Args:
        rows: (name, value, low, high).
        span: the axis; by default wide enough for all, or for each row by itself.
    """
    height = _ROW * len(rows) + 8
    middle = _LEFT + (_WIDTH - _LEFT - _RIGHT) / 2
    reach = max((abs(end - zero) for row in rows for end in row[1:]), default=1.0) or 1.0
    low, high = span or (zero - reach, zero + reach)
    parts = []
    for at, (name, value, left, right) in enumerate(rows):
        if each_own_scale:  # metrics have units of their own: only the sign compares
            reach = max(abs(left - zero), abs(right - zero), 1e-12)
            low, high = zero - reach * 1.05, zero + reach * 1.05

        def x(number: float, low: float = low, high: float = high) -> float:
            return _LEFT + (number - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)

        y = at * _ROW + _ROW / 2 + 4
        parts.append(
            f"<g><title>{esc(name)}: {value:.4g} ({left:.4g} to {right:.4g})</title>"
            f'<text x="0" y="{y + 4:.1f}">{esc(name[:34])}</text>'
            f'<line class="span" x1="{x(left):.1f}" x2="{x(right):.1f}" y1="{y:.1f}" '
            f'y2="{y:.1f}"/><circle cx="{x(value):.1f}" cy="{y:.1f}" r="4"/>'
            f'<text x="{_WIDTH:.0f}" y="{y + 4:.1f}" text-anchor="end">{value:+.3g} '
            f"({left:+.2g} to {right:+.2g})</text></g>"
        )
    at_zero = (
        middle if span is None else _LEFT + (zero - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)
    )
    return (
        f'<svg class="forest" viewBox="0 0 {_WIDTH:.0f} {height:.0f}" role="img">'
        f'<line class="zero" x1="{at_zero:.1f}" x2="{at_zero:.1f}" y1="0" y2="{height:.0f}"/>'
        f"{''.join(parts)}</svg>"
    )


# ---- human votes ---------------------------------------------------------------------------------


def votes(labels: LabelStore) -> str:
    """Every project's win rates with what they are worth, and strengths where several met."""
    blocks = []
    for project in labels.projects():
        rates = [rate for rate in labels.results(project.id) if rate.judged]
        if rates:
            blocks.append(_project(project.name, rates))
    if not blocks:
        return '<p class="none">No votes yet. Judge some pairs on the Label tab.</p>'
    return f'<div class="score-view">{"".join(blocks)}</div>'


def _project(name: str, rates: Sequence[WinRate]) -> str:
    rows = []
    for rate in rates:
        if rate.decisive_rate is not None:
            low, high = rate.interval
            rows.append((f"{rate.a} over {rate.b}", rate.decisive_rate, low, high))
    said = "".join(f"<p class='set-summary'>{esc(_sentence(rate))}</p>" for rate in rates)
    plot = forest(rows, zero=0.5, span=(0.0, 1.0)) if rows else ""
    return f"<section><h4>{esc(name)}</h4>{plot}{said}{_strengths(rates)}</section>"


def _sentence(rate: WinRate) -> str:
    from studio.preference.duels import votes_to_settle

    counts = (
        f"{rate.a} beside {rate.b}: {plural(rate.wins, 'win')}, {plural(rate.ties, 'tie')}, "
        f"{plural(rate.losses, 'loss', 'losses')}, {rate.both_bad} both bad; "
        f"sign test p = {rate.p_value:.2g}."
    )
    further = votes_to_settle(rate.wins, rate.losses)
    if further is None:
        return f"{counts} Even so far."
    if further == 0:
        return f"{counts} Settled: the interval leaves one half out."
    return f"{counts} About {thousands(further)} more decisive votes would settle it."


def _strengths(rates: Sequence[WinRate]) -> str:
    """Bradley-Terry, where more than two models met."""
    wins: dict[tuple[str, str], float] = {}
    for rate in rates:
        half = (rate.ties + rate.both_bad) / 2
        wins[rate.a, rate.b] = wins.get((rate.a, rate.b), 0) + rate.wins + half
        wins[rate.b, rate.a] = wins.get((rate.b, rate.a), 0) + rate.losses + half
    if len({name for pair in wins for name in pair}) < 3:
        return ""
    from studio.preference.duels import bradley_terry

    try:
        ladder = bradley_terry(wins)
    except ConfigError as error:
        return f'<p class="none">{esc(error)}</p>'
    rows = [(each.name, each.strength, each.low, each.high) for each in ladder]
    return f"<h4>Strength, Bradley-Terry log-odds</h4>{forest(rows)}"
