"""Wilson's interval and the sign test against published figures and scipy."""

from __future__ import annotations

import math

import pytest

from studio.labels import sign_test, wilson_interval


def test_sign_test_equals_the_sum_of_pascals_row():
    # 8 wins, 2 losses of 10: 2 * (1 + 10 + 45) / 1024
    assert sign_test(8, 2) == pytest.approx(112 / 1024)
    assert sign_test(2, 8) == sign_test(8, 2)
    # 5 of 5: 2 * 1 / 32
    assert sign_test(5, 0) == pytest.approx(1 / 16)
    assert sign_test(3, 3) == 1.0
    assert sign_test(0, 0) == 1.0


def test_sign_test_of_many_votes_neither_overflows_nor_vanishes():
    # normal approximation with continuity correction: z = (1100 - 1000 - 0.5) / sqrt(500) = 4.4497
    assert sign_test(1100, 900) == pytest.approx(math.erfc(4.4497 / math.sqrt(2)), rel=0.02)
    assert 0 < sign_test(700, 100) < 1e-100


def test_wilson_interval_equals_published_figures():
    # Newcombe (1998), Statistics in Medicine 17, table I, method 3: 81/263, 15/148, 0/20, 1/29
    published = {
        (81, 263): (0.2553, 0.3662),
        (15, 148): (0.0624, 0.1605),
        (0, 20): (0.0000, 0.1611),
        (1, 29): (0.0061, 0.1718),
    }
    for (wins, total), (low, high) in published.items():
        assert wilson_interval(wins, total) == pytest.approx((low, high), abs=5e-5)
    assert wilson_interval(0, 0) == (0.0, 1.0)


def test_counts_agree_with_scipy():
    stats = pytest.importorskip("scipy.stats", reason="SciPy is not installed")
    for wins, losses in ((0, 5), (8, 2), (12, 12), (37, 21), (510, 489), (1, 300)):
        known = stats.binomtest(wins, wins + losses, 0.5)
        assert sign_test(wins, losses) == pytest.approx(known.pvalue, rel=1e-9)
        interval = known.proportion_ci(0.95, method="wilson")
        assert wilson_interval(wins, wins + losses) == pytest.approx(
            (interval.low, interval.high), abs=1e-9
        )
