from __future__ import annotations

import pytest

from studio.labels import WinRate


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
