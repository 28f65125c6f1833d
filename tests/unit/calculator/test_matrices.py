"""The workshop's own question: what do two thin factors cost beside a whole matrix?"""

from __future__ import annotations

import pytest

from studio.calculator import matrix
from studio.core.errors import ConfigError


@pytest.mark.parametrize(
    ("out", "into", "r", "whole", "factors", "saved"),
    [
        (6, 7, 3, 42, 39, 3),
        (1000, 768, 8, 768_000, 14_144, 753_856),
        (600, 400, 6, 240_000, 6_000, 234_000),
        (6, 7, 4, 42, 52, -10),
        (1, 1, 1, 1, 2, -1),
    ],
)
def test_counts(out, into, r, whole, factors, saved):
    found = matrix(out, into, r)
    assert (found.whole, found.factors, found.saved) == (whole, factors, saved)
    assert found.a + found.b == factors


def test_sentences():
    assert matrix(6, 7, 3).sentence() == (
        "W holds 42 numbers. B and A hold 39 together: 3 fewer, 92.9 % of W."
    )
    assert "10 more" in matrix(6, 7, 4).sentence()
    assert "just as many" in matrix(4, 4, 2).sentence()


def test_break_even_is_the_last_rank_that_saves():
    found = matrix(6, 7, 3)
    assert found.break_even == 3
    assert matrix(6, 7, found.break_even).saved > 0
    assert matrix(6, 7, found.break_even + 1).saved <= 0


@pytest.mark.parametrize("r", [0, -1, 2.5, float("nan"), float("inf"), True, "8"])
def test_a_rank_that_is_none(r):
    with pytest.raises(ConfigError, match="rank is"):
        matrix(6, 7, r)
