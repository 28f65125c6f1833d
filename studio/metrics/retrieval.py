"""How well a ranking finds what is right: recall, reciprocal rank, nDCG; and rank correlation.

Figures are per query, so that an interval can be drawn over queries (`metrics.bootstrap`).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import numpy as np

from studio.metrics.bootstrap import Interval, bootstrap_ratio

DEPTH = 10
NAMES = ("recall@1", "recall@10", "mrr@10", "ndcg@10")
_REPEATS = 1000


def figures(ranked: Sequence[str], relevant: Collection[str]) -> dict[str, float]:
    """One query's figures by name.

    Args:
        ranked: ids of documents, the nearest first; at least ten, or all there are.
        relevant: ids of the right ones; at least one.
    """
    hits = [document in relevant for document in ranked[:DEPTH]]
    first = next((place for place, hit in enumerate(hits, 1) if hit), None)
    gain = math.fsum(hit / math.log2(place + 1) for place, hit in enumerate(hits, 1))
    most = min(len(relevant), DEPTH)
    ideal = math.fsum(1 / math.log2(place + 1) for place in range(1, most + 1))
    return {
        "recall@1": sum(hits[:1]) / len(relevant),
        "recall@10": sum(hits) / len(relevant),
        "mrr@10": 1 / first if first else 0.0,
        "ndcg@10": gain / ideal,
    }


def with_intervals(queries: Sequence[dict[str, float]]) -> dict[str, Interval]:
    """The means over queries, each with a 95 % interval by a bootstrap over queries."""
    found: dict[str, Interval] = {}
    for name in NAMES:
        interval = bootstrap_ratio([one[name] for one in queries], [1.0] * len(queries))
        if interval is not None:
            found[name] = interval
    return found


def spearman(scores: Sequence[float], wanted: Sequence[float], seed: int = 0) -> Interval | None:
    """Spearman's rank correlation with a percentile bootstrap over pairs.

    None for fewer than three pairs, or where one side never varies.
    """
    first, second = np.asarray(scores, float), np.asarray(wanted, float)
    if len(first) < 3 or not (np.ptp(first) and np.ptp(second)):
        return None
    draw = np.random.default_rng(seed)
    found: list[float] = []
    for _ in range(_REPEATS):
        chosen = draw.integers(len(first), size=len(first))
        if np.ptp(first[chosen]) and np.ptp(second[chosen]):
            found.append(_correlation(first[chosen], second[chosen]))
    low, high = np.quantile(found, [0.025, 0.975])
    return Interval(_correlation(first, second), float(low), float(high), len(first))


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.corrcoef(_ranks(first), _ranks(second))[0, 1])


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1; equal values share the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (ends - (counts - 1) / 2)[inverse]
