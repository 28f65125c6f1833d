"""Numbers as the page and the shell show them."""

from __future__ import annotations

import pytest

from studio.calculator import formatting


@pytest.mark.parametrize(
    ("number", "words"),
    [(1_531_904, "1.53 M"), (70_553_706_496, "70.6 B"), (9_999, "9,999"), (378_880, "379 k")],
)
def test_counts(number, words):
    assert formatting.count(number) == words


@pytest.mark.parametrize(
    ("number", "words"),
    [(3_122_000_000, "3.1 GB"), (117e9, "117 GB"), (36_715_216, "36.7 MB"), (12, "12 B")],
)
def test_sizes(number, words):
    assert formatting.size(number) == words


def test_shares_and_spans():
    assert formatting.percent(0.1390642) == "0.139 %"
    assert formatting.percent(100) == "100 %"
    assert formatting.span(60, 300) == "1 to 5 min"
    assert formatting.span(43, 300) == "43 s to 5 min"
    assert formatting.span(118, 121) == "about 2 min"


def test_money():
    assert formatting.money(0.001, 0.004) == "under 0.01"
    assert formatting.money(0.002, 0.034) == "up to 0.03"
    assert formatting.money(2.4, 2.401) == "about 2.40"
    assert formatting.money(0.12, 0.31) == "0.12 to 0.31"
