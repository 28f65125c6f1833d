"""Figures of duels, whichever way round their pairs are stored."""

from __future__ import annotations

from dataclasses import replace

import pytest

from studio.labels import Pair
from studio.labels.llm_judge import by_models
from studio.labels.types import JudgedItem, Vote
from studio.labels.win_rate_report import duels, strengths


def beats(store, project, winner, loser, swapped=False):
    names = (loser, winner) if swapped else (winner, loser)
    first, second = ({"label": name} for name in names)
    number = len(list(store.labelled_pairs(project.id)))
    store.add_items(project.id, [Pair(f"q {number}", "one", f"two {number}", first, second)])
    item = list(store.labelled_pairs(project.id))[-1].item_id
    store.vote(project.id, item, "ada", "b" if swapped else "a")


def test_pairs_stored_either_way_round_are_one_duel(store):
    project = store.create_project("one duel", order="given")
    for swapped in (False, True, True):
        beats(store, project, "tuned", "base", swapped)
    [duel] = duels(store.labelled_pairs(project.id))
    assert (duel["a"], duel["wins"], duel["losses"]) == ("tuned", 3, 0)
    assert duel["half_win"]["value"] == 1.0 and duel["half_win"]["count"] == 3
    assert strengths([duel]) == ([], None), "two models have no ladder"


@pytest.mark.parametrize("which", ["every pair", "one pair"])
def test_duplicated_votes_change_no_figure_of_a_duel(which):
    seen = [
        JudgedItem(
            number,
            [{"role": "user", "content": f"question {number // 2}"}],
            "x" * (4 + number % 5),
            "yyyy",
            {"label": "new"},
            {"label": "old"},
            tuple(cast(choice) for choice in choices),
        )
        for number, choices in enumerate(["aab", "a", "b", "abb", "aaa", "b", "a", "abb", "b", "a"])
    ]
    often = [
        replace(item, votes=item.votes * 7) if which == "every pair" or item is seen[0] else item
        for item in seen
    ]
    [once], [again] = duels(seen), duels(often)
    assert once["length_controlled"]["count"] == 10 and once["half_win"]["count"] == 5
    for figure in ("half_win", "length_controlled"):
        assert again[figure] == pytest.approx(once[figure])
    assert (again["low"], again["high"]) == (once["low"], once["high"])


def cast(choice):
    return Vote(0, 0, "somebody", 1, choice, 2, "ab", 0.0, "", "", 1, 0.0)


def test_a_ladder_needs_everybody_to_have_lost_once(store):
    project = store.create_project("three", order="given")
    for winner, loser in (("a", "b"), ("b", "c")):
        beats(store, project, winner, loser)
    ladder, why = strengths(duels(store.labelled_pairs(project.id)))
    assert ladder == [] and "nobody beat a" in (why or "")
    beats(store, project, "c", "a")
    ladder, why = strengths(duels(store.labelled_pairs(project.id)))
    assert why is None and {each["name"] for each in ladder} == {"a", "b", "c"}
    assert sum(each["strength"] for each in ladder) == pytest.approx(0, abs=1e-6)


def test_two_models_with_one_name_are_two_models(store):
    project = store.create_project("one name", order="given")
    sources = ({"label": "mine", "run": "run-1"}, {"label": "mine", "run": "run-2"})
    base = {"label": "base", "model": "pocket"}
    for number, (a, b) in enumerate([sources, sources[::-1], (sources[0], base)]):
        store.add_items(project.id, [Pair(f"q {number}", "one", f"two {number}", a, b)])
        item = list(store.labelled_pairs(project.id))[-1].item_id
        store.vote(project.id, item, "ada", "ab"[number == 1])
    found = duels(store.labelled_pairs(project.id))
    assert {(one["a"], one["b"], one["wins"]) for one in found} == {
        ("mine (run-1)", "mine (run-2)", 2),
        ("mine (run-1)", "base", 1),
    }
    pairs = by_models(store.labelled_pairs(project.id))
    assert sorted(pairs) == [("mine (run-1)", "base"), ("mine (run-1)", "mine (run-2)")]
