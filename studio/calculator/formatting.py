"""Readable numbers: `1.53 M`, `3.1 GB`, `about 2 min`. GB is 10^9 bytes, as GPU vendors count."""

from __future__ import annotations


def count(number: float) -> str:
    """Three significant figures with a unit: 1531904 -> `1.53 M`."""
    for size, unit in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e4, "k")):
        if abs(number) >= size:
            scaled = number / (1e3 if unit == "k" else size)
            return f"{_three(scaled)} {unit}"
    return f"{number:,.0f}"


def size(number: float) -> str:
    """Bytes: 3122000000 -> `3.1 GB`."""
    for factor, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if abs(number) >= factor:
            scaled = number / factor
            return f"{scaled:,.0f} {unit}" if scaled >= 100 else f"{scaled:,.1f} {unit}"
    return f"{number:,.0f} B"


def size_range(least: float, most: float) -> str:
    """Two sizes with their unit said once where it is the same: `6.3 to 9.2 GB`."""
    low, high = size(least), size(most)
    if low == high:
        return high
    number, unit = low.rsplit(" ", 1)
    return f"{number} to {high}" if high.endswith(f" {unit}") else f"{low} to {high}"


def percent(number: float) -> str:
    """A share in percent, three significant figures: 0.13906 -> `0.139 %`."""
    return f"{_three(number)} %"


def duration(seconds: float) -> str:
    """`40 s`, `2 min`, `3.5 h`, `2 days`: rounded to an estimate's precision."""
    if seconds < 55:
        return f"{max(1, round(seconds))} s"
    if seconds < 55 * 60:
        return f"{max(1, round(seconds / 60))} min"
    if seconds < 36 * 3600:
        hours = seconds / 3600
        return f"{hours:.0f} h" if hours >= 10 else f"{hours:.1f} h"
    return f"{seconds / 86400:.0f} days"


def span(low: float, high: float) -> str:
    """A range of seconds: `1 to 3 min`; one figure when both ends read the same."""
    first, last = duration(low), duration(high)
    if first == last:
        return f"about {first}"
    value, unit = first.split(" ", 1)
    return f"{value} to {last}" if last.endswith(f" {unit}") else f"{first} to {last}"


def money(low: float, high: float) -> str:
    """`0.12 to 0.31`, `about 2.40`, `up to 0.03`, in the rate's own currency."""
    if high < 0.01:
        return "under 0.01"
    first, last = f"{low:,.2f}", f"{high:,.2f}"
    if low < 0.01:
        return f"up to {last}"
    return f"about {last}" if first == last else f"{first} to {last}"


def _three(number: float) -> str:
    magnitude = abs(number)
    if magnitude == 0:
        return "0"
    if magnitude >= 100:
        return f"{number:,.0f}"
    if magnitude >= 10:
        return f"{number:.1f}"
    if magnitude >= 1:
        return f"{number:.2f}"
    return f"{number:.3g}" if magnitude < 0.1 else f"{number:.3f}"
