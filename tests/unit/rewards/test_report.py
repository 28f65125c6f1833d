"""The report on a reward model, from scores alone."""

from __future__ import annotations

import random

import pytest

from studio.core.errors import DataError
from studio.rewards.best_of_n import probability
from studio.rewards.report import calibration, histogram, report


def test_a_calibrated_model_lies_on_bradley_terry() -> None:
    chance = random.Random(1)
    sizes = [chance.uniform(0, 4) for _ in range(4000)]
    gaps = [size if chance.random() < probability(size) else -size for size in sizes]
    found = calibration(gaps)
    assert found["error"] < 0.03
    assert sum(one["count"] for one in found["bins"]) == 4000
    sure = calibration([4 * gap for gap in gaps])
    assert sure["error"] > 0.1


def test_accuracy_annotators_and_length() -> None:
    chosen, rejected = [2.0, 3.0, 4.0, 1.0], [1.0, 1.0, 0.0, 2.0]
    words = [(20, 10), (30, 10), (40, 2), (10, 20)]
    found = report(chosen, rejected, words, {"ann": (9, 10)})
    assert found["accuracy"]["value"] == 0.75
    assert found["accuracy"]["low"] < 0.75 < found["accuracy"]["high"]
    assert found["annotators"]["ann"]["value"] == 0.9
    assert "longer answers score higher" in found["length"]["warning"]
    assert "of 4 pairs 100 %" in found["length"]["warning"]
    even = report(chosen, rejected, [(9, 9), (9, 8), (8, 9), (9, 9)])
    assert even["length"]["warning"] == ""


def test_a_row_a_vote_counts_a_pair_once() -> None:
    chosen, rejected, words = [2.0, 3.0, 1.0], [1.0, 1.0, 2.0], [(20, 10), (3, 1), (5, 7)]
    once = report(chosen, rejected, words, pairs=["p", "q", "r"])
    often = report(chosen * 9, rejected * 9, words * 9, pairs=["p", "q", "r"] * 9)
    assert often["accuracy"] == once["accuracy"] and once["accuracy"]["count"] == 3
    assert often["length"]["longer_wins"] == once["length"]["longer_wins"]


def test_every_score_is_in_a_bar() -> None:
    found = histogram({"base": [0.0, 0.5, 1.0], "tuned": [1.0, 1.0]})
    assert (sum(found["counts"]["base"]), found["counts"]["tuned"][-1]) == (3, 2)
    assert (found["edges"][0], found["edges"][-1]) == (0.0, 1.0)
    assert sum(histogram({"one": [2.0, 2.0]})["counts"]["one"]) == 2


def test_nothing_to_judge_on() -> None:
    with pytest.raises(DataError, match="no held-out pairs"):
        report([], [], [])
