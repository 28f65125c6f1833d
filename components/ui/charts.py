"""Charts that several tabs draw. Pure functions of figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from components.ui.html import esc

WIDE, HIGH = 480.0, 120.0  # of a curve or a histogram


def legend(named: Iterable[tuple[str, str]]) -> str:
    """(name, colour) of each group."""
    spans = "".join(f'<span class="of-{kind}">{esc(name)}</span>' for name, kind in named)
    return f'<p class="reward-legend">{spans}</p>'


def forest(
    rows: Sequence[tuple[str, float, float, float]],
    zero: float = 0.0,
    span: tuple[float, float] | None = None,
    each_own_scale: bool = False,
    spec: str = "+.3g",
    shares: bool = False,
) -> str:
    """A line a figure with its interval, beside a dashed line where there is no difference.

    Args:
        rows: (name, value, low, high).
        span: the axis; by default wide enough for all, or for each row by itself.
        spec: how figures are written; as per cent with `shares`.
    """
    reach = max((abs(end - zero) for row in rows for end in row[1:]), default=1.0) or 1.0
    low, high = span or (zero - reach, zero + reach)
    lines = []
    for name, value, left, right in rows:
        if each_own_scale:  # metrics have units of their own: only the sign compares
            reach = max(abs(left - zero), abs(right - zero), 1e-12)
            low, high = zero - reach * 1.05, zero + reach * 1.05
        start, end, dot, even = (
            100 * (at - low) / (high - low) for at in (left, right, value, zero)
        )
        figures = f"{value:{spec}}</b> ({left:{spec}} to {right:{spec}})"
        if shares:
            figures = f"{100 * value:.0f} %</b> ({100 * left:.0f} to {100 * right:.0f} %)"
        lines.append(
            f'<li title="{esc(name)}: {value:.4g} ({left:.4g} to {right:.4g})">'
            f'<span>{esc(name)}</span><i class="axis"><i class="even" style="left:{even:.1f}%"></i>'
            f'<i class="reach" style="left:{start:.1f}%;width:{end - start:.1f}%"></i>'
            f'<i class="dot" style="left:{dot:.1f}%"></i></i><span><b>{figures}</span></li>'
        )
    return f'<ul class="forest">{"".join(lines)}</ul>'
