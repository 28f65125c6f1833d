"""Who won, by how much, how sure: counts, Wilson's interval and the exact sign test.

Wilson (1927), "Probable inference, the law of succession, and statistical inference"; the sign test
is the exact binomial test of p = 1/2, two-sided, on the decisive outcomes only (ties carry no
direction).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from studio.labels.aggregation import decide
from studio.labels.types import JudgedItem, source_names
from studio.metrics.proportions import sign_test, wilson_interval


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
    items = list(items)
    named = source_names(items)
    counts: dict[tuple[str, str], dict[str, int]] = {}
    for item in items:
        if not item.sampled:
            continue
        decision = decide(item.deciding)
        if decision.outcome is None and not decision.voters:
            continue
        a, b = named(item.source_a), named(item.source_b)
        outcome = decision.outcome or "tie"
        if (b, a) in counts and a != b:
            a, b, outcome = b, a, {"a": "b", "b": "a"}.get(outcome, outcome)
        met = counts.setdefault((a, b), dict.fromkeys(("a", "b", "tie", "both_bad"), 0))
        met[outcome] += 1
    rates = [
        WinRate(a, b, met["a"], met["tie"], met["b"], met["both_bad"])
        for (a, b), met in counts.items()
    ]
    return sorted(rates, key=lambda rate: -rate.judged)
