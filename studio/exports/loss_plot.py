"""A run's loss curve as a PNG for its model card.

Drawn with Pillow: the Hub shows a README's images but no scripts, Plotly writes neither PNG nor SVG
without kaleido and a browser, and matplotlib (six packages) would be for this one picture.
"""

from __future__ import annotations

import math
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM = 960, 420, 90, 56, 56
_INK, _GRID, _PAPER = "#1f2430", "#dfe3ea", "#ffffff"
_COLORS = ("#6d4bd8", "#0f8f83")
_SCALE = 2  # drawn at twice the size and scaled down, for smooth lines
Points = list[tuple[float, float]]


def draw(path: Path, title: str, series: dict[str, Points]) -> bool:
    """Write a PNG of up to two lines over the steps; False where there is nothing to draw."""
    kept = {
        name: [point for point in points if all(map(math.isfinite, point))]
        for name, points in series.items()
    }
    kept = {name: points for name, points in kept.items() if len(points) > 1}
    if not kept:
        return False
    image = Image.new("RGB", (_WIDTH * _SCALE, _HEIGHT * _SCALE), _PAPER)
    _paint(ImageDraw.Draw(image), title, kept)
    image.resize((_WIDTH, _HEIGHT), Image.Resampling.LANCZOS).save(path, optimize=True)
    return True


def _paint(pen: ImageDraw.ImageDraw, title: str, series: dict[str, Points]) -> None:
    every = [point for points in series.values() for point in points]
    first, last = min(x for x, _ in every), max(x for x, _ in every)
    low, high = min(y for _, y in every), max(y for _, y in every)
    room = (high - low) * 0.06 or abs(high) * 0.06 or 1.0
    low, high = low - room, high + room
    right, bottom = _WIDTH - 30, _HEIGHT - _BOTTOM

    def place(x: float, y: float) -> tuple[float, float]:
        across = (x - first) / ((last - first) or 1)
        up = (y - low) / (high - low)
        return (
            (_LEFT + across * (right - _LEFT)) * _SCALE,
            (bottom - up * (bottom - _TOP)) * _SCALE,
        )

    for part in range(5):
        value = low + (high - low) * part / 4
        _, y = place(first, value)
        pen.line([(_LEFT * _SCALE, y), (right * _SCALE, y)], fill=_GRID, width=_SCALE)
        _text(pen, (_LEFT - 12, y / _SCALE), f"{value:.3g}", "rm")
    for at in sorted({first, (first + last) / 2, last}):
        _text(pen, (place(at, low)[0] / _SCALE, bottom + 20), f"{at:,.0f}", "mm")
    _text(pen, ((_LEFT + right) / 2, _HEIGHT - 14), "step", "mm")
    _text(pen, (_LEFT, 26), title, "lm", 17)
    edge = float(right)
    for (name, points), color in zip(series.items(), _COLORS, strict=False):
        pen.line([place(*point) for point in points], fill=color, width=3 * _SCALE, joint="curve")
        _text(pen, (edge, 26), name, "rm", fill=color)
        edge -= 24 + 8 * len(name)


def _text(
    pen: ImageDraw.ImageDraw,
    at: tuple[float, float],
    text: str,
    anchor: str,
    size: int = 14,
    fill: str = _INK,
) -> None:
    font = ImageFont.load_default(size * _SCALE)
    pen.text((at[0] * _SCALE, at[1] * _SCALE), text, font=font, fill=fill, anchor=anchor)
