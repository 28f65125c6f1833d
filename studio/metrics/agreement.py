"""Inter-annotator agreement: unanimity, raw agreement and Krippendorff's alpha.

Pure functions on nominal labels (order and distance of labels carry no meaning). Krippendorff
(2011), "Computing Krippendorff's alpha-reliability". A figure is None where it is not defined:
nothing to compare, or only one category in use, so that no disagreement could occur by chance.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass

Label = Hashable
Unit = Sequence[Label | None]
"""One item's labels, one per annotator; None where an annotator gave none."""


def _labels(unit: Unit) -> list[Label]:
    return [label for label in unit if label is not None]


def unanimous(units: Sequence[Unit]) -> tuple[int, int]:
    """(items whose labels are all the same, items with at least two labels)."""
    shared = [labels for unit in units if len(labels := _labels(unit)) > 1]
    return sum(len(set(labels)) == 1 for labels in shared), len(shared)


def raw_agreement(units: Sequence[Unit]) -> float | None:
    """Share of equal pairs of labels on the same item, averaged over items."""
    shares: list[float] = []
    for unit in units:
        labels = _labels(unit)
        pairs = len(labels) * (len(labels) - 1)
        if pairs:
            equal = sum(count * (count - 1) for count in Counter(labels).values())
            shares.append(equal / pairs)
    return sum(shares) / len(shares) if shares else None


def krippendorff_alpha(units: Sequence[Unit]) -> float | None:
    """Nominal alpha, 1 - observed / expected disagreement; labels may be missing anywhere.

    With n labels on items that have at least two, o(c, c) the coincidences within an item weighted
    by 1 / (m - 1), and n(c) the uses of category c (Krippendorff 2011, section C):
    alpha = ((n - 1) sum o(c, c) - sum n(c)(n(c) - 1)) / (n(n - 1) - sum n(c)(n(c) - 1)).
    """
    agreeing, uses, total = 0.0, Counter[Label](), 0
    for unit in units:
        labels = _labels(unit)
        if len(labels) < 2:
            continue
        count = Counter(labels)
        agreeing += sum(c * (c - 1) for c in count.values()) / (len(labels) - 1)
        uses.update(count)
        total += len(labels)
    same = sum(c * (c - 1) for c in uses.values())
    chance = total * (total - 1) - same
    return ((total - 1) * agreeing - same) / chance if chance else None


@dataclass(frozen=True)
class Alpha:
    """Krippendorff's alpha with a 95 % interval over `count` items with several labels."""

    value: float
    low: float
    high: float
    count: int

    def as_dict(self) -> dict[str, float | int]:
        """JSON-able."""
        return asdict(self)


def alpha_interval(units: Sequence[Unit], repeats: int = 500, seed: int = 0) -> Alpha | None:
    """Alpha with a percentile bootstrap that draws items (Krippendorff 2011 draws pairs of labels,
    which are not independent); None where alpha is not defined."""
    shared = [unit for unit in units if len(_labels(unit)) > 1]
    value = krippendorff_alpha(shared)
    if value is None:
        return None
    draw = random.Random(seed)
    drawn = (krippendorff_alpha(draw.choices(shared, k=len(shared))) for _ in range(repeats))
    # A draw with one category alone has no alpha: nothing in it could disagree.
    found = sorted(1.0 if each is None else each for each in drawn)
    at = round(0.025 * (repeats - 1))
    return Alpha(value, found[at], found[-1 - at], len(shared))
