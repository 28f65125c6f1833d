"""How far people agree: raw agreement, Cohen's and Fleiss' kappa, Krippendorff's alpha.

Pure functions on labels, for nominal categories (order and distance of labels mean nothing here).
Cohen (1960), "A coefficient of agreement for nominal scales"; Fleiss (1971), "Measuring nominal
scale agreement among many raters"; Krippendorff (2011), "Computing Krippendorff's
alpha-reliability". A coefficient is None where it is not defined: nothing to compare, or only one
category was ever used, so that no disagreement could have happened by chance.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence

from studio.core.errors import ConfigError

Label = Hashable
Unit = Sequence[Label | None]
"""One item's labels, one a rater; None where that rater gave none."""


def _given(unit: Unit) -> list[Label]:
    return [label for label in unit if label is not None]


def unanimous(units: Sequence[Unit]) -> tuple[int, int]:
    """(items on which all who labelled agree, items with at least two labels)."""
    shared = [labels for unit in units if len(labels := _given(unit)) > 1]
    return sum(len(set(labels)) == 1 for labels in shared), len(shared)


def raw_agreement(units: Sequence[Unit]) -> float | None:
    """Share of pairs of labels on one item that are equal, every item counting the same."""
    shares = []
    for unit in units:
        labels = _given(unit)
        pairs = len(labels) * (len(labels) - 1)
        if pairs:
            equal = sum(count * (count - 1) for count in Counter(labels).values())
            shares.append(equal / pairs)
    return sum(shares) / len(shares) if shares else None


def cohen_kappa(first: Sequence[Label | None], second: Sequence[Label | None]) -> float | None:
    """Agreement of two raters beyond chance, over the items that both labelled."""
    if len(first) != len(second):
        raise ConfigError(
            f"Two raters' labels must be about the same items, not {len(first)} and {len(second)}."
        )
    both = [(a, b) for a, b in zip(first, second, strict=True) if a is not None and b is not None]
    if not both:
        return None
    total = len(both)
    one, two = Counter(a for a, _ in both), Counter(b for _, b in both)
    seen = sum(a == b for a, b in both) / total
    chance = sum(one[label] * two[label] for label in one) / total**2
    return (seen - chance) / (1 - chance) if chance < 1 else None


def fleiss_kappa(counts: Sequence[Sequence[int]]) -> float | None:
    """Agreement of several raters beyond chance.

    Args:
        counts: [item][category], how many raters gave the item that category; every item must have
            the same number of raters, at least two (`krippendorff_alpha` takes any number).
    """
    if not counts:
        return None
    raters = {sum(row) for row in counts}
    if len(raters) > 1 or min(raters) < 2:
        raise ConfigError(
            "Fleiss' kappa needs the same number of raters on every item, at least two; "
            "use Krippendorff's alpha."
        )
    n, items = raters.pop(), len(counts)
    seen = sum((sum(c * c for c in row) - n) / (n * (n - 1)) for row in counts) / items
    totals = [sum(column) for column in zip(*counts, strict=True)]
    chance = sum((total / (items * n)) ** 2 for total in totals)
    return (seen - chance) / (1 - chance) if chance < 1 else None


def fleiss_counts(units: Sequence[Unit]) -> list[list[int]]:
    """[item][category] counts of labels, categories in order of their names."""
    found = [Counter(_given(unit)) for unit in units]
    categories = sorted({label for count in found for label in count}, key=str)
    return [[count[category] for category in categories] for count in found]


def krippendorff_alpha(units: Sequence[Unit]) -> float | None:
    """Nominal alpha, 1 - observed / expected disagreement; labels may be missing anywhere.

    With n values in items of at least two, o(c, c) the coincidences within an item weighted by
    1 / (m - 1), and n(c) the uses of category c (Krippendorff 2011, section C):
    alpha = ((n - 1) sum o(c, c) - sum n(c)(n(c) - 1)) / (n(n - 1) - sum n(c)(n(c) - 1)).
    """
    agreeing, uses, total = 0.0, Counter[Label](), 0
    for unit in units:
        labels = _given(unit)
        if len(labels) < 2:
            continue
        count = Counter(labels)
        agreeing += sum(c * (c - 1) for c in count.values()) / (len(labels) - 1)
        uses.update(count)
        total += len(labels)
    same = sum(c * (c - 1) for c in uses.values())
    chance = total * (total - 1) - same
    return ((total - 1) * agreeing - same) / chance if chance else None
