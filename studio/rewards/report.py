"""How good a reward model is: accuracy, calibration, length, annotators. Pure functions, no torch.

A pair is one answer people preferred to another; scores are the model's for both.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from studio.core.errors import DataError
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
) -> dict[str, Any]:
    """JSON-able report over held-out pairs.

    Args:
        chosen, rejected: scores of either side, pair by pair.
        words: words of (chosen, rejected), pair by pair.
        annotators: for each person (votes the model agrees with, of how many).

    `calibration` sorts pairs by the size of their gap: `expected` is what Bradley-Terry says of the
    favourite's chance, `observed` how often people did prefer it. `length.warning` is a sentence
    where the reward follows the length of answers.
    """
    if not chosen:
        raise DataError("There are no held-out pairs to judge a reward model on.")
    gaps = [a - b for a, b in zip(chosen, rejected, strict=True)]
    return {
        "accuracy": share(sum(gap > 0 for gap in gaps), len(gaps)),
        "margin": statistics.fmean(gaps),
        "calibration": calibration(gaps),
        "length": _length(chosen, rejected, gaps, words),
        "histogram": histogram({"chosen": chosen, "rejected": rejected}),
        "annotators": {name: share(*counts) for name, counts in (annotators or {}).items()},
    }


def share(right: int, of: int) -> dict[str, float | int]:
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
) -> dict[str, Any]:
    lengths = [*(float(a) for a, _ in words), *(float(b) for _, b in words)]
    found = correlation([*chosen, *rejected], lengths)
    told = [(gap, a - b) for gap, (a, b) in zip(gaps, words, strict=True) if a != b and gap]
    longer = share(sum((gap > 0) == (more > 0) for gap, more in told), len(told))
    warning = ""
    if found is not None and abs(found) >= _LENGTH:
        which = "longer" if found > 0 else "shorter"
        explains = longer["value"] if found > 0 else 1 - longer["value"]
        warning = (
            f"The reward follows length: {which} answers score higher (correlation {found:.2f}), "
            f"and of {len(told)} pairs {100 * explains:.0f} % are ranked as length alone would. "
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
