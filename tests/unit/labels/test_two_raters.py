"""The two-by-two of two annotators, against hand counts."""

from __future__ import annotations

from studio.labels.two_raters import two_raters
from studio.labels.types import JudgedItem, Vote

BASE, TUNED = {"label": "base"}, {"label": "tuned"}


def judged(number: int, turned: bool = False, **choices: str) -> JudgedItem:
    """A pair, stored the other way round where `turned`."""
    votes = tuple(
        Vote(n, number, name, 1, choice, 2, "ab", 1.0, "", "", 1, 0.0)
        for n, (name, choice) in enumerate(choices.items())
    )
    sides = (TUNED, BASE) if turned else (BASE, TUNED)
    return JudgedItem(number, [], "one", "two", *sides, votes)


def test_votes_on_the_same_pairs_are_counted_by_model():
    found = two_raters(
        [
            judged(1, ada="b", ben="b"),
            judged(2, turned=True, ada="a", ben="a"),  # the tuned one as well
            judged(3, ada="b", ben="a"),
            judged(4, ada="a", ben="a"),
            judged(5, ada="tie", ben="a"),
            judged(6, ada="skip", ben="a"),  # no vote: not in common
            judged(7, ada="a", cleo="a"),
        ]
    )
    assert found == {
        "people": ("ada", "ben"),
        "sides": ("base", "tuned"),
        "cells": [[1, 0], [1, 2]],  # rows: ada preferred base, tuned
        "undecided": 1,
    }


def test_there_is_none_where_nobody_shares_a_pair():
    assert two_raters([]) is None
    assert two_raters([judged(1, ada="a"), judged(2, ben="a")]) is None
