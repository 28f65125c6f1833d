"""The calculator's memory estimate beside every figure the repository knows.

    python -m benchmarks.estimates [--plot docs/images/memory.svg]

Prints the table of docs/figures.md: runs that others measured, the usual rules of thumb with the
assumptions under which they hold, and this machine's own grid where `benchmarks/memory.json` was
kept.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from benchmarks.memory import read
from studio.calculator.published_points import PUBLISHED
from studio.calculator.reference_points import MEASURED, RULES_OF_THUMB

_GRID = Path(__file__).with_name("memory.json")
_LOW, _HIGH = 1e9, 200e9
_SIDE, _LEFT, _TOP = 320, 56, 16
_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#5b6575}.band{fill:#6d3fc4;opacity:.10}"
    ".line{stroke:#747d8c}.grid{stroke:#dfe3ea}.measured{fill:#6d3fc4}"
    ".rule{fill:none;stroke:#2f58cd;stroke-width:2}"
)


def rows() -> list[tuple[str, int, int, str]]:
    """(label, known bytes, estimated bytes, where the known figure is from)."""
    found = [
        (point.label, point.peak, point.estimated(), point.source)
        for point in (*MEASURED, *PUBLISHED, *RULES_OF_THUMB)
    ]
    if _GRID.exists():
        found += [
            (
                point.setting.label(),
                point.peak,
                point.estimate + point.estimated_overhead,
                "benchmarks.memory",
            )
            for point in read(_GRID)
        ]
    return found


def table() -> str:
    """Markdown, as docs/figures.md has it."""
    points = {point.label: point for point in (*MEASURED, *PUBLISHED, *RULES_OF_THUMB)}
    lines = [
        "| figure | its loop and loss head | known | estimate | off by | in the studio's loop "
        "| from |",
        "|---|---|---|---|---|---|---|",
    ]
    for label, known, found, source in rows():
        point = points.get(label)
        loop, own = (
            (point.loop_words, f"{point.in_the_studio() / 1e9:.1f} GB") if point else ("", "")
        )
        words = point.memory().words() if point else f"{found / 1e9:.1f} GB"
        lines.append(
            f"| {label} | {loop} | {known / 1e9:.1f} GB | {words} | "
            f"{100 * (found / known - 1):+.0f} % | {own} | {source} |"
        )
    return "\n".join(lines)


def plot() -> str:
    """Known against estimated, both on a logarithmic scale, with the 15 % band."""

    def at(size: float) -> float:
        return _SIDE * math.log(size / _LOW) / math.log(_HIGH / _LOW)

    def x(size: float) -> float:
        return _LEFT + at(size)

    def y(size: float) -> float:
        return _TOP + _SIDE - at(size)

    parts = []
    for gigabytes in (1, 3, 10, 30, 100):
        size = gigabytes * 1e9
        parts.append(
            f'<path class="grid" d="M{x(size):.1f} {_TOP}V{_TOP + _SIDE}'
            f'M{_LEFT} {y(size):.1f}H{_LEFT + _SIDE}"/>'
            f'<text x="{x(size):.1f}" y="{_TOP + _SIDE + 16}" text-anchor="middle">'
            f"{gigabytes}</text>"
            f'<text x="{_LEFT - 8}" y="{y(size) + 4:.1f}" text-anchor="end">{gigabytes}</text>'
        )
    low, high = _LOW * 1.15, _HIGH / 1.15
    parts.append(
        f'<path class="band" d="M{x(_LOW):.1f} {y(low):.1f}L{x(high):.1f} {y(_HIGH):.1f}'
        f"L{x(_HIGH):.1f} {y(_HIGH):.1f}L{x(_HIGH):.1f} {y(high):.1f}"
        f'L{x(low):.1f} {y(_LOW):.1f}L{x(_LOW):.1f} {y(_LOW):.1f}Z"/>'
        f'<path class="line" d="M{x(_LOW):.1f} {y(_LOW):.1f}L{x(_HIGH):.1f} {y(_HIGH):.1f}"/>'
    )
    for label, known, found, source in rows():
        kind = "rule" if source.startswith("rule") else "measured"
        parts.append(
            f'<circle class="{kind}" cx="{x(known):.1f}" cy="{y(found):.1f}" r="5">'
            f"<title>{label}: {known / 1e9:.1f} GB, estimated {found / 1e9:.1f} GB</title></circle>"
        )
    middle = _LEFT + _SIDE / 2
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_LEFT + _SIDE + 24} '
        f'{_TOP + _SIDE + 44}" width="400"><style>{_STYLE}</style>'
        '<rect width="100%" height="100%" fill="#fff"/>'
        f"{''.join(parts)}"
        f'<text x="{middle}" y="{_TOP + _SIDE + 36}" text-anchor="middle">known peak, GB '
        "(filled: measured, ring: rule of thumb)</text>"
        f'<text transform="translate(14 {_TOP + _SIDE / 2}) rotate(-90)" text-anchor="middle">'
        "estimate, GB; the band is 15 %</text></svg>\n"
    )


def main() -> None:
    """Print the table; draw it where asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--plot", type=Path, help="where to draw it, as SVG")
    asked = parser.parse_args()
    print(table())
    if asked.plot:
        asked.plot.write_text(plot(), encoding="utf-8")


if __name__ == "__main__":
    main()
