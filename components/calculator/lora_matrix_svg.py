"""One weight matrix beside the two that LoRA adds, drawn to scale: pure functions."""

from __future__ import annotations

from dataclasses import dataclass

from components.calculator import memory_html
from components.ui.html import esc
from studio.calculator.matrices import Matrix
from studio.core.formatting import percent_text, thousands

TIMES = "\N{MULTIPLICATION SIGN}"
_WIDTH, _HEIGHT = 720.0, 300.0
_THINNEST = 2.0


@dataclass(frozen=True)
class _Box:
    x: float
    y: float
    width: float
    height: float


def matrix_svg(shape: Matrix) -> str:
    """W beside B and A, to one scale; a side too thin to see is drawn two pixels wide."""
    out, into, r = shape.out_features, shape.in_features, shape.r
    gap = 96.0
    scale = min((_WIDTH - 2 * gap - 24) / (2 * into + r), (_HEIGHT - 60) / max(out, r))
    side = [max(_THINNEST, length * scale) for length in (out, into, r)]
    tall, wide, thin = side
    top = 36.0
    left = (_WIDTH - (2 * wide + thin + 2 * gap)) / 2
    middle = top + max(tall, thin) / 2
    w = _Box(left, middle - tall / 2, wide, tall)
    b = _Box(left + wide + gap, w.y, thin, tall)
    a = _Box(b.x + thin + gap, middle - thin / 2, wide, thin)
    height = top + max(tall, thin) + 30
    parts = [
        _matrix_box(w, "W", f"{out:,} {TIMES} {into:,}", shape.whole, "whole"),
        _matrix_box(b, "B", f"{out:,} {TIMES} {r:,}", shape.b, "factor"),
        _matrix_box(a, "A", f"{r:,} {TIMES} {into:,}", shape.a, "factor"),
        _sign(w.x + wide + gap / 2, middle, "+"),
        _sign(b.x + thin + gap / 2, middle, TIMES),
    ]
    label = (
        f"W of {out:,} by {into:,} beside B of {out:,} by {r:,} and A of {r:,} by {into:,}, "
        "drawn to one scale"
    )
    return (
        f'<svg class="matrix-drawing" viewBox="0 0 {_WIDTH:.0f} {height:.0f}" role="img" '
        f'aria-label="{esc(label)}">{"".join(parts)}</svg>'
    )


def _matrix_box(box: _Box, name: str, size: str, numbers: int, kind: str) -> str:
    middle = box.x + box.width / 2
    return (
        f'<g class="m-{kind}"><title>{name}: {thousands(numbers)} numbers</title>'
        f'<rect x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" '
        f'height="{box.height:.1f}" rx="1.5"/>'
        f'<text class="m-name" x="{middle:.1f}" y="{box.y - 10:.1f}">{name}</text>'
        f'<text class="m-size" x="{middle:.1f}" y="{box.y + box.height + 21:.1f}">{size}</text></g>'
    )


def _sign(x: float, y: float, sign: str) -> str:
    return f'<text class="m-sign" x="{x:.1f}" y="{y + 6:.1f}">{sign}</text>'


def matrix_view(shape: Matrix) -> str:
    """The drawing, the three figures and their meaning."""
    saved = abs(shape.saved)
    change = "fewer" if shape.saved >= 0 else "more"
    share = percent_text(shape.percent / 100)
    stats = (
        memory_html.stat("W", thousands(shape.whole), "numbers in the whole matrix"),
        memory_html.stat("B and A", thousands(shape.factors), f"{share} of W", "tuned"),
        memory_html.stat(change.capitalize(), thousands(saved), _halves(shape)),
    )
    return (
        f'<div class="calc">{memory_html.stats(stats)}'
        f'<figure class="panel">{matrix_svg(shape)}</figure>'
        f'<p class="calc-say">{esc(shape.sentence())} {esc(_rank_words(shape))}</p></div>'
    )


def _halves(shape: Matrix) -> str:
    return f"B {thousands(shape.b)} + A {thousands(shape.a)}"


def _rank_words(shape: Matrix) -> str:
    if shape.r >= shape.full_rank:
        return (
            f"From rank {shape.full_rank:,} on, B and A can express any update of W, "
            "so a higher rank only adds parameters."
        )
    if shape.break_even >= 1:
        return (
            f"Smaller than W up to rank {shape.break_even:,}; "
            f"an update of W has at most rank {shape.full_rank:,}."
        )
    return "No rank makes B and A smaller than this W."
