"""How good a reward model is: accuracy, calibration, length, annotators. Pure functions, no torch.

A pair is one answer people preferred to another; scores are the model's for both.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from studio.core.errors import DataError
from studio.core.formatting import percent_text
from studio.metrics.proportions import wilson_interval
from studio.rewards.best_of_n import probability

_BINS = 5
_LENGTH = 0.5  # a correlation with length worth a warning
_BARS = 16


def report(
    chosen: Sequence[float],
    rejected: Sequence[float],
    words: Sequence[tuple[int, int]],
    annotators: Mapping[str, tuple[int, int]] | None = None,
    pairs: Sequence[Hashable] | None = None,
) -> dict[str, Any]:
    """JSON-able report over held-out pairs.

    Args:
        chosen, rejected: scores of either side, pair by pair.
        words: words of (chosen, rejected), pair by pair.
        annotators: for each person (votes the model agrees with, of how many).
        pairs: what is the same pair of answers, pair by pair; default: every row is one. Rows on
            one pair (a row a vote) are one unit of the shares and their intervals.

    `calibration` sorts pairs by the size of their gap: `expected` is what Bradley-Terry says of the
    favourite's chance, `observed` how often people did prefer it. `length.warning` is a sentence
    where the reward follows the length of answers.
    """
    if not chosen:
        raise DataError("There are no held-out pairs to judge a reward model on.")
    gaps = [a - b for a, b in zip(chosen, rejected, strict=True)]
    units = range(len(gaps)) if pairs is None else pairs
    return {
        "accuracy": _by_pair([gap > 0 for gap in gaps], units),
        "margin": statistics.fmean(gaps),
        "calibration": calibration(gaps),
        "length": _length(chosen, rejected, gaps, words, units),
        "histogram": histogram({"chosen": chosen, "rejected": rejected}),
        "annotators": {name: share(*counts) for name, counts in (annotators or {}).items()},
    }


def _by_pair(right: Sequence[bool], units: Sequence[Hashable]) -> dict[str, float | int]:
    """The mean of the units' shares, with the interval of as many units."""
    by_unit: dict[Hashable, list[bool]] = {}
    for unit, each in zip(units, right, strict=True):
        by_unit.setdefault(unit, []).append(each)
    return share(sum(sum(each) / len(each) for each in by_unit.values()), len(by_unit))


def share(right: float, of: int) -> dict[str, float | int]:
    """A share with Wilson's 95 % interval."""
    low, high = wilson_interval(right, of)
    return {"value": right / of if of else 0.0, "low": low, "high": high, "count": of}


def calibration(gaps: Sequence[float]) -> dict[str, Any]:
    """Bins of equal count by the size of the gap, and their mean distance (ECE)."""
    order = sorted(gaps, key=abs)
    count = min(_BINS, len(order))
    bins = []
    for at in range(count):
        part = order[len(order) * at // count : len(order) * (at + 1) // count]
        bins.append(
            {
                "gap": statistics.fmean(abs(gap) for gap in part),
                "expected": statistics.fmean(probability(abs(gap)) for gap in part),
                "observed": sum(gap > 0 for gap in part) / len(part),
                "count": len(part),
            }
        )
    off = sum(one["count"] * abs(one["expected"] - one["observed"]) for one in bins)
    return {"bins": bins, "error": off / len(gaps)}


def _length(
    chosen: Sequence[float],
    rejected: Sequence[float],
    gaps: Sequence[float],
    words: Sequence[tuple[int, int]],
    units: Sequence[Hashable],
) -> dict[str, Any]:
    lengths = [*(float(a) for a, _ in words), *(float(b) for _, b in words)]
    found = correlation([*chosen, *rejected], lengths)
    told = [
        (gap > 0, a > b, unit)
        for gap, (a, b), unit in zip(gaps, words, units, strict=True)
        if a != b and gap
    ]
    longer = _by_pair([won == more for won, more, _ in told], [unit for *_, unit in told])
    warning = ""
    if found is not None and abs(found) >= _LENGTH:
        which = "longer" if found > 0 else "shorter"
        explains = longer["value"] if found > 0 else 1 - longer["value"]
        pairs = longer["count"]
        warning = (
            f"The reward follows length: {which} answers score higher (correlation {found:.2f}), "
            f"and of {pairs} pairs {percent_text(explains)} are ranked as length alone would. "
            "Check that people meant it, balance the pairs by length, or add a length reward."
        )
    return {"correlation": found, "longer_wins": longer, "warning": warning}


def correlation(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Pearson's; None where one of them does not vary."""
    if len(a) < 2 or math.isclose(max(a), min(a)) or math.isclose(max(b), min(b)):
        return None
    return statistics.correlation(a, b)


def histogram(groups: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """Counts in bars of equal width over all groups: {"edges", "counts": by group}."""
    every = [value for values in groups.values() for value in values]
    low, high = min(every), max(every)
    width = (high - low) / _BARS or 1.0
    counts = {name: [0] * _BARS for name in groups}
    for name, values in groups.items():
        for value in values:
            counts[name][min(_BARS - 1, int((value - low) / width))] += 1
    return {"edges": [low + width * at for at in range(_BARS + 1)], "counts": counts}
