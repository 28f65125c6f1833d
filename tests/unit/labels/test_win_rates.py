from __future__ import annotations

import math

import pytest

from studio.labels import WinRate, sign_test, wilson_interval


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


def test_a_win_rate_gives_ties_half_and_swaps():
    rate = WinRate("tuned", "base", wins=12, ties=4, losses=5, both_bad=3)
    assert rate.judged == 24 and rate.decisive == 17
    assert rate.rate == pytest.approx((12 + 3.5) / 24)
    assert rate.decisive_rate == pytest.approx(12 / 17)
    assert rate.swap().rate == pytest.approx(1 - rate.rate)
    assert rate.swap().swap() == rate
    assert rate.as_dict()["low"] < 12 / 17 < rate.as_dict()["high"]
    empty = WinRate("a", "b")
    assert empty.rate is None and empty.decisive_rate is None and empty.p_value == 1.0


def test_results_count_an_item_once_whoever_voted(store, project):
    votes = {
        "ada": ["a", "b", "tie", "both_bad"],
        "ben": ["a", "b", "tie", "b"],
        "cid": ["b", "skip", "a", "skip"],
    }
    for annotator, choices in votes.items():
        for choice in choices:
            shown = store.next_item(project.id, annotator)
            store.vote(project.id, shown.item_id, annotator, choice)
    (rate,) = store.results(project.id)
    # majorities: a, b, tie, and a draw between both_bad and b, which counts as a tie
    assert rate == WinRate("base", "tuned", wins=1, ties=2, losses=1, both_bad=0)


def test_results_join_pairs_stored_either_way_round(store):
    from studio.labels import Pair

    project = store.create_project("ways", order="given")
    x, y = {"label": "x"}, {"label": "y"}
    store.add_items(project.id, [Pair("1", "a", "b", x, y), Pair("2", "a", "b", y, x)])
    for choice in ("a", "b"):
        store.vote(project.id, store.next_item(project.id, "ada").item_id, "ada", choice)
    assert store.results(project.id) == [WinRate("x", "y", wins=2)]
    assert store.results(store.create_project("none").id) == []
