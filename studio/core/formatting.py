"""Numbers, sizes, and times as text: one way to write each, for the page and the shell."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

DOT = " \N{MIDDLE DOT} "
"""Separates the facts of one line."""


def one_line(text: str) -> str:
    """The text as one line of printable characters: no control codes, no line ends, no bidi."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def thousands(number: float) -> str:
    """`1085` -> `1,085`."""
    return f"{number:,.0f}"


def compact(number: float) -> str:
    """`1_534_976` -> `1.53 M`, `9_200` -> `9,200`: three digits, and a suffix from 10,000 on."""
    for size, suffix in ((1e12, " T"), (1e9, " B"), (1e6, " M"), (1e3, " k")):
        if abs(number) >= (size * 0.9995 if size > 1e3 else 9999.5):
            return f"{_three_digits(number / size)}{suffix}"
    return figure_text(number) if abs(number) < 10 else thousands(number)


def figure_text(value: float) -> str:
    """A measured figure such as a loss or a reward: `1.135` -> `1.14`, three significant digits."""
    if abs(value) >= 999.5:
        return thousands(value)
    return rate_text(float(f"{value:.3g}")) if abs(value) < 1e-3 else f"{value:.3g}"


def rate_text(value: float) -> str:
    """`0.0002` -> `2e-4`, `0.01` -> `0.01`, `3.0` -> `3`: as people write learning rates."""
    if value and abs(value) < 1e-2:
        mantissa, exponent = f"{value:.3e}".split("e")
        return f"{float(mantissa):g}e{int(exponent)}"
    return f"{value:g}"


def percent_text(share: float | None) -> str:
    """`0.834` -> `83.4 %`, one digit; three significant ones below 1 %; unknown -> a dash.

    Only all is 100 %, and only none is 0 %.
    """
    return "\N{EN DASH}" if share is None else f"{_percent(share)} %"


def percent_range(low: float, high: float) -> str:
    """An interval: `40.1 to 80.2 %`."""
    return f"{_percent(low)} to {_percent(high)} %"


def points(found: Mapping[str, Any]) -> str:
    """A difference of shares with its interval: `+4.0 points (-1.2 to 9.1)`."""
    value, low, high = (100 * found[name] for name in ("value", "low", "high"))
    return f"{value:+.1f} points ({low:+.1f} to {high:+.1f})"


def _percent(share: float) -> str:
    percent = 100 * share
    if percent == round(percent) and abs(percent) in (0, 100):
        return f"{percent:.0f}"
    if abs(percent) < 1:
        return rate_text(float(f"{percent:.3g}")) if abs(percent) < 1e-3 else f"{percent:.3g}"
    text = f"{percent:.1f}"
    return "over 99.9" if text == "100.0" and percent < 100 else text


def _three_digits(value: float) -> str:
    digits = 2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0
    return f"{value:.{digits}f}"


def bytes_text(size: float) -> str:
    """`12_025_908_429` -> `12.0 GB` (decimal units, as GPUs and files are labeled)."""
    units = ["B", "kB", "MB", "GB", "TB"]
    value, unit = float(size), units.pop(0)
    while units and abs(value) >= 999.5:
        value, unit = value / 1000, units.pop(0)
    return f"{value:,.0f} {unit}" if unit == "B" or value >= 99.5 else f"{value:.1f} {unit}"


def bytes_range(least: float, most: float) -> str:
    """Two sizes with their unit said once where it is the same: `6.3 to 9.2 GB`."""
    low, high = bytes_text(least), bytes_text(most)
    if low == high:
        return high
    number, unit = low.rsplit(" ", 1)
    return f"{number} to {high}" if high.endswith(f" {unit}") else f"{low} to {high}"


def bytes_of(part: float, whole: float) -> str:
    """`11.2 of 24.0 GB`; both units where they differ."""
    low, high = bytes_text(part), bytes_text(whole)
    number, unit = low.rsplit(" ", 1)
    return f"{number} of {high}" if high.endswith(f" {unit}") else f"{low} of {high}"


def duration_text(seconds: float | None) -> str:
    """`41` -> `0:41`, `3000` -> `50 min`, `8000` -> `2 h 13 min`; unknown -> a dash."""
    if seconds is None or seconds != seconds or seconds < 0:
        return "\N{EN DASH}"
    whole = round(seconds)
    if whole < 600:
        return f"{whole // 60}:{whole % 60:02d}"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{hours // 24} days"


def took_text(seconds: float) -> str:
    """In words, for a sentence: `0.4 s`, `12 s`, `3 min 10 s`, `2 h 13 min`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    if whole < 60 or whole >= 3600:
        return f"{whole} s" if whole < 60 else duration_text(seconds)
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"


def left_text(seconds: float | None) -> str:
    """`200` -> `3:20 left`, `41` -> `under a minute left`; empty when unknown."""
    if seconds is None:
        return ""
    return "under a minute left" if 0 <= seconds < 60 else f"{duration_text(seconds)} left"


def estimate_text(seconds: float) -> str:
    """`under a minute`, `2 min`, `3.5 h`, `2 days`: rounded to an estimate's precision."""
    if seconds < 55:
        return "under a minute"
    if seconds < 55 * 60:
        return f"{max(1, round(seconds / 60))} min"
    if seconds < 36 * 3600:
        hours = seconds / 3600
        return f"{hours:.0f} h" if hours >= 10 else f"{hours:.1f} h"
    return f"{seconds / 86400:.0f} days"


def span_text(low: float, high: float) -> str:
    """A range of seconds: `1 to 3 min`, `up to 3 min`; one figure when both ends read the same."""
    first, last = estimate_text(low), estimate_text(high)
    if first == last:
        return first if high < 55 else f"about {first}"
    if low < 55:
        return f"up to {last}"
    value, unit = first.split(" ", 1)
    return f"{value} to {last}" if last.endswith(f" {unit}") else f"{first} to {last}"


def money_text(low: float, high: float) -> str:
    """`0.12 to 0.31`, `about 2.40`, `up to 0.03`, in the rate's own currency."""
    if high < 0.01:
        return "under 0.01"
    first, last = f"{low:,.2f}", f"{high:,.2f}"
    if low < 0.01:
        return f"up to {last}"
    return f"about {last}" if first == last else f"{first} to {last}"


def ago_text(then: float | None, now: float | None = None) -> str:
    """`just now`, `12 s ago`, `4 min ago`, `3 h ago`, `2 days ago` for an epoch time."""
    if then is None:
        return ""
    seconds = max(0.0, (time.time() if now is None else now) - then)
    if seconds < 2:
        return "just now"
    for size, unit in ((86400, "day"), (3600, "h"), (60, "min"), (1, "s")):
        if seconds >= size:
            count = int(seconds // size)
            plural = "s" if unit == "day" and count > 1 else ""
            return f"{count} {unit}{plural} ago"
    return "just now"


def plural(count: int, one: str, many: str | None = None) -> str:
    """`1 row`, `1,085 rows`."""
    return f"{thousands(count)} {one if count == 1 else many or one + 's'}"


def in_a_sentence(label: str) -> str:
    """A label as it stands within a sentence: `Target modules` -> `target modules`, `LoRA rank` as
    it is."""
    return " ".join(word.lower() if word[1:].islower() else word for word in label.split(" "))
