"""Numbers, sizes, and times as text: one way to write each, for the page and the shell."""

from __future__ import annotations

import time

DOT = " \N{MIDDLE DOT} "
"""Separates the facts of one line."""


def one_line(text: str) -> str:
    """The text as one line of printable characters: no control codes, no line ends, no bidi."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def thousands(number: float) -> str:
    """`1085` -> `1,085`."""
    return f"{number:,.0f}"


def compact(number: float) -> str:
    """`1_534_976` -> `1.53 M`: three significant digits and a suffix."""
    for size, suffix in ((1e12, " T"), (1e9, " B"), (1e6, " M"), (1e3, " k")):
        if abs(number) >= size * 0.9995:
            return f"{_three_digits(number / size)}{suffix}"
    return f"{number:g}" if abs(number) < 10 else f"{number:.0f}"


def _three_digits(value: float) -> str:
    digits = 2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0
    return f"{value:.{digits}f}"


def bytes_text(size: float) -> str:
    """`12_025_908_429` -> `12.0 GB` (decimal units, as GPUs and files are labeled)."""
    units = ["B", "KB", "MB", "GB", "TB"]
    value, unit = float(size), units.pop(0)
    while units and abs(value) >= 999.5:
        value, unit = value / 1000, units.pop(0)
    return f"{value:.0f} {unit}" if unit in ("B", "KB") or value >= 99.5 else f"{value:.1f} {unit}"


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
    """`41` -> `0:41 left`; empty when unknown."""
    return "" if seconds is None else f"{duration_text(seconds)} left"


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
