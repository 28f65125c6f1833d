"""Markup of a reward model's report: pure functions to escaped HTML and SVG."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.ui.charts import HIGH, WIDE, forest, legend
from components.ui.html import chips, empty_state, esc, notice
from studio.core.formatting import percent_range, percent_text, plural

_SIDE, _EDGE = 240.0, 34.0  # of the calibration curve's square
_COLOURS = {"chosen": "chosen", "rejected": "rejected", "base": "base"}  # others are tuned


def no_report() -> str:
    return empty_state(
        "Evaluate a reward model",
        "Choose a finished one. It is scored on held-out pairs: accuracy, calibration against "
        "Bradley-Terry, correlation with length, and agreement with each annotator.",
        "To get one, train with the objective Reward model on pairs such as pocket-preference.",
    )


def report(found: Mapping[str, Any]) -> str:
    """What `studio.workflows.rewards.judge` found."""
    accuracy, length = found["accuracy"], found["length"]
    related = length["correlation"]
    facts = chips(
        [
            (f"accuracy {share(accuracy)} pairs", "strong"),
            f"mean gap {found['margin']:.2f}",
            "" if related is None else f"correlation with length {related:+.2f}",
        ]
    )
    people = [
        (f"{name}, {plural(one['count'], 'vote')}", one["value"], one["low"], one["high"])
        for name, one in found["annotators"].items()
    ]
    agreed = (
        f"<section><h4>Agreement with each annotator</h4>"
        f"{forest(people, zero=0.5, span=(0.0, 1.0), shares=True)}</section>"
        if people
        else ""
    )
    answers = (
        f"<section><h4>Rewards of answers to held-out prompts</h4>{histogram(found['answers'])}"
        "</section>"
        if found.get("answers")
        else ""
    )
    return (
        f'<div class="reward-report"><p class="set-summary">{esc(found["data"])}</p>{facts}'
        f"{notice('warn', length['warning'])}"
        f"<div class='reward-plots'><section><h4>Calibration</h4>"
        f"{calibration(found['calibration'])}</section><section><h4>Rewards of the pairs</h4>"
        f"{histogram(found['histogram'])}</section>{answers}</div>{agreed}</div>"
    )


def share(one: Mapping[str, Any]) -> str:
    """`92 % (88 to 95 %) of 120`."""
    between = percent_range(one["low"], one["high"])
    return f"{percent_text(one['value'])} ({between}) of {one['count']}"


def calibration(found: Mapping[str, Any]) -> str:
    """Observed over expected share of the pairs in which people chose the favorite."""
    inner = _SIDE - 2 * _EDGE

    def at(expected: float, observed: float) -> tuple[float, float]:
        return _EDGE + inner * (2 * expected - 1), _SIDE - _EDGE - inner * observed

    points = [(at(one["expected"], one["observed"]), one) for one in found["bins"]]
    line = " ".join(f"{x:.1f},{y:.1f}" for (x, y), _ in points)
    dots = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4"><title>expected {percent_text(one["expected"])}, '
        f"observed {percent_text(one['observed'])} of {one['count']} pairs</title></circle>"
        for (x, y), one in points
    )
    (x0, y0), (x1, y1) = at(0.5, 0.5), at(1.0, 1.0)
    bottom, right = _SIDE - _EDGE, _SIDE - _EDGE
    return (
        f'<svg class="reward-curve" viewBox="0 0 {_SIDE:.0f} {_SIDE:.0f}" role="img" '
        'aria-label="Observed over expected share of the favorite">'
        f'<path class="axis" d="M{_EDGE} {_EDGE}V{bottom}H{right}"/>'
        f'<line class="even" x1="{x0}" y1="{y0}" x2="{x1}" y2="{y1}"/>'
        f'<polyline points="{line}"/>{dots}'
        f'<text x="{_EDGE}" y="{bottom + 16}">50 %</text>'
        f'<text x="{right}" y="{bottom + 16}" text-anchor="end">100 % expected</text>'
        f'<text x="{_EDGE + 4}" y="{_EDGE - 8}">100 % observed</text></svg>'
        f'<p class="quiet">mean error {100 * found["error"]:.0f} points; the dashed line is '
        "Bradley-Terry</p>"
    )


def histogram(found: Mapping[str, Any]) -> str:
    """Bars of several groups on one axis, each group's share of its own count."""
    edges, counts = found["edges"], found["counts"]
    tops = {name: sum(bars) or 1 for name, bars in counts.items()}
    highest = max((bar / tops[name] for name, bars in counts.items() for bar in bars), default=1)
    width = WIDE / (len(edges) - 1)
    slot = width / max(1, len(counts))
    bars = "".join(
        f'<rect class="of-{_COLOURS.get(name, "tuned")}" x="{at * width + group * slot:.1f}" '
        f'y="{HIGH * (1 - bar / tops[name] / highest):.1f}" width="{slot * 0.86:.1f}" '
        f'height="{HIGH * bar / tops[name] / highest:.1f}"><title>{esc(name)}, '
        f"{edges[at]:.2f} to {edges[at + 1]:.2f}: {bar}</title></rect>"
        for group, (name, bars) in enumerate(counts.items())
        for at, bar in enumerate(bars)
        if bar
    )
    return (
        f'<svg class="reward-bars" viewBox="0 0 {WIDE:.0f} {HIGH + 20:.0f}" role="img" '
        f'aria-label="Histogram of rewards: {esc(", ".join(counts))}">{bars}'
        f'<path class="axis" d="M0 {HIGH}H{WIDE}"/><text x="0" y="{HIGH + 16}">'
        f'{edges[0]:.2g}</text><text x="{WIDE}" y="{HIGH + 16}" text-anchor="end">'
        f"{edges[-1]:.2g}</text></svg>"
        f"{legend((name, _COLOURS.get(name, 'tuned')) for name in counts)}"
    )
