"""Who won, by how much, how sure: counts, Wilson's interval and the exact sign test.

Wilson (1927), "Probable inference, the law of succession, and statistical inference"; the sign test
is the exact binomial test of p = 1/2, two-sided, on the decisive outcomes only (ties carry no
direction).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from studio.preference.items import JudgedItem, source_label
from studio.preference.verdicts import decide

Z95 = 1.959963984540054


def wilson_interval(wins: float, total: int, z: float = Z95) -> tuple[float, float]:
    """Wilson's score interval for a proportion; (0, 1) when nothing was counted."""
    if total == 0:
        return 0.0, 1.0
    share, spread = wins / total, z * z / total
    middle = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(share * (1 - share) / total + spread / (4 * total))
    return max(0.0, middle - half), min(1.0, middle + half)


def sign_test(wins: int, losses: int) -> float:
    """Two-sided exact p-value of wins against losses under a fair coin; 1.0 without either."""
    total = wins + losses
    if total == 0:
        return 1.0
    # Whole numbers all the way: Python divides them exactly, where 2.0**total would overflow.
    term, tail = 1, 0
    for k in range(min(wins, losses) + 1):
        tail += term
        term = term * (total - k) // (k + 1)
    return min(1.0, 2 * tail / 2**total)


@dataclass(frozen=True)
class WinRate:
    """Outcomes of `a` against `b`, one per item, seen from `a`."""

    a: str
    b: str
    wins: int = 0
    ties: int = 0
    losses: int = 0
    both_bad: int = 0

    @property
    def decisive(self) -> int:
        return self.wins + self.losses

    @property
    def judged(self) -> int:
        return self.decisive + self.ties + self.both_bad

    @property
    def rate(self) -> float | None:
        """Win rate with half ties: (wins + (ties + both bad) / 2) / judged."""
        return (self.wins + (self.ties + self.both_bad) / 2) / self.judged if self.judged else None

    @property
    def decisive_rate(self) -> float | None:
        """wins / (wins + losses), the share the interval and the test speak about."""
        return self.wins / self.decisive if self.decisive else None

    @property
    def interval(self) -> tuple[float, float]:
        """95 % Wilson interval of `decisive_rate`."""
        return wilson_interval(self.wins, self.decisive)

    @property
    def p_value(self) -> float:
        """Exact two-sided sign test on the decisive outcomes."""
        return sign_test(self.wins, self.losses)

    def swap(self) -> WinRate:
        """The same outcomes seen from `b`."""
        return WinRate(self.b, self.a, self.losses, self.ties, self.wins, self.both_bad)

    def as_dict(self) -> dict[str, Any]:
        """JSON-able, with the derived figures."""
        low, high = self.interval
        counts = {name: getattr(self, name) for name in ("wins", "ties", "losses", "both_bad")}
        figures = {"rate": self.rate, "decisive_rate": self.decisive_rate, "p_value": self.p_value}
        return {"a": self.a, "b": self.b, **counts, **figures, "low": low, "high": high}


def tally(items: Iterable[JudgedItem]) -> list[WinRate]:
    """One `WinRate` for every pair of sources that met, most items first.

    An item counts once, by the majority of its current votes, however many people voted: several
    votes on one item are not independent. Items without a majority count as ties; unjudged ones not
    at all.
    """
    counts: dict[tuple[str, str], dict[str, int]] = {}
    for item in items:
        if not item.sampled:
            continue
        verdict = decide(item.deciding)
        if verdict.outcome is None and not verdict.voters:
            continue
        a, b = source_label(item.source_a), source_label(item.source_b)
        outcome = verdict.outcome or "tie"
        if (b, a) in counts and a != b:
            a, b, outcome = b, a, {"a": "b", "b": "a"}.get(outcome, outcome)
        met = counts.setdefault((a, b), dict.fromkeys(("a", "b", "tie", "both_bad"), 0))
        met[outcome] += 1
    rates = [
        WinRate(a, b, met["a"], met["tie"], met["b"], met["both_bad"])
        for (a, b), met in counts.items()
    ]
    return sorted(rates, key=lambda rate: -rate.judged)
