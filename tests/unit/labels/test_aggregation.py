"""One outcome for an item out of several votes, by each rule."""

from __future__ import annotations

import pytest

from studio.labels.aggregation import Rule, decide
from studio.labels.types import Vote


def votes(choices, strength=2):
    names = {"t": "tie", "s": "skip", "f": "broken"}
    return [
        Vote(n, 1, f"annotator {n}", 1, names.get(c, c), strength, "ab", 1.0, "", "", 1, 0.0)
        for n, c in enumerate(choices)
    ]


@pytest.mark.parametrize(
    ("choices", "outcome", "why"),
    [
        ("", None, "not labeled yet"),
        ("ss", None, "skipped"),
        ("aaf", None, "flagged as broken"),
        ("ab", None, "no majority"),
        ("aab", "a", ""),
        ("aas", "a", ""),
        ("tt", "tie", ""),
    ],
)
def test_a_majority_is_more_than_half_of_the_votes_that_count(choices, outcome, why):
    found = decide(votes(choices))
    assert (found.outcome, found.why_not) == (outcome, why)


def test_a_rule_may_ask_for_more_than_a_majority():
    assert Rule("unanimous").decisions(votes("aab"))[0].why_not == "not unanimous"
    assert Rule(min_strength=3).decisions(votes("aa"))[0].why_not == "too weak"
    assert [each.outcome for each in Rule("each").decisions(votes("ab"))] == ["a", "b"]
    assert decide(votes("aab")).agreement == pytest.approx(2 / 3)
