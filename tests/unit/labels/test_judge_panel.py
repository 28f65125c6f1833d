"""Judges beside one another and beside people, and what they may label."""

from __future__ import annotations

from studio.labels.judge_panel import panel, sure
from studio.metrics.agreement import alpha_interval


def test_a_judge_that_agrees_with_people_may_label():
    people = ["a", "b"] * 20 + [None] * 10
    like = [*(["a", "b"] * 20), *(["a"] * 10)]
    other = ["a"] * 50
    found = panel({"like": like, "other": other}, people)
    good, bad = found["each"]
    assert good["may_label"] and good["people"]["value"] == 1.0 and good["alpha"]["value"] == 1.0
    assert not bad["may_label"] and "at least 35.2 %" in bad["why"]
    assert found["judges"]["low"] <= found["judges"]["value"] <= found["judges"]["high"]


def test_few_votes_and_unread_replies_are_said():
    [one] = panel({"judge": ["a", None, "tie"]}, ["a", "b", "b"])["each"]
    assert (one["unread"], one["people"]["count"], one["may_label"]) == (1, 1, False)
    assert "20 are needed" in one["why"]


def test_people_see_what_is_unsure_and_some_of_the_rest():
    first = ["a", "b", "tie", None, *["a"] * 8]
    second = ["a", "a", "tie", None, *["a"] * 8]
    found = sure([first, second])
    assert found[1:4] == [False] * 3 and found.count(False) == 4
    assert sure([first, second], share=0.0).count(False) == 3
    assert sure([first, second]) == found  # drawn by the seed


def test_the_interval_of_alpha_holds_its_value():
    units = [["a", "a"]] * 30 + [["a", "b"]] * 10 + [["b", "b"]] * 30
    found = alpha_interval(units)
    assert found is not None and found.low < found.value < found.high and found.count == 70
    assert alpha_interval([["a", "a"]]) is None and alpha_interval([]) is None
