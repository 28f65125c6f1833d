"""Proportions: Wilson intervals and the sign test. Pure."""

from __future__ import annotations

import math

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
