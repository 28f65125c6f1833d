"""Intervals, length control and strengths against hand-worked figures and SciPy."""

from __future__ import annotations

import math

import numpy as np
import pytest

from studio.core.errors import ConfigError
from studio.labels import wilson_interval
from studio.metrics import bootstrap


def test_a_prompt_is_one_unit_however_many_voted():
    once = bootstrap.bootstrap_mean([[1.0]] * 30 + [[0.0]] * 10)
    often = bootstrap.bootstrap_mean([[1.0] * 5] * 30 + [[0.0] * 5] * 10)
    assert once is not None and often is not None
    assert once.value == often.value == 0.75
    # five votes on one prompt that agree add nothing: the interval must not shrink
    assert (once.low, once.high, once.count) == (often.low, often.high, often.count)
    # close to the normal approximation, 1.96 sqrt(0.75 * 0.25 / 40) = 0.134
    assert once.low == pytest.approx(0.75 - 0.134, abs=0.02)
    assert once.high == pytest.approx(0.75 + 0.134, abs=0.02)
    assert bootstrap.bootstrap_mean([]) is None and bootstrap.bootstrap_mean([[]]) is None


def test_votes_to_settle_is_the_first_count_that_does():
    assert bootstrap.votes_to_settle(5, 5) is None and bootstrap.votes_to_settle(0, 0) is None
    assert bootstrap.votes_to_settle(90, 10) == 0
    for wins, losses in ((6, 4), (11, 9), (2, 1)):
        further = bootstrap.votes_to_settle(wins, losses)
        total = wins + losses
        assert further is not None

        def settled(n, share=wins / (wins + losses)):
            return abs(share - 0.5) * 2 * math.sqrt(n) > 1.959963984540054

        assert settled(total + further) and not settled(total + further - 1)
    low, high = wilson_interval(60, 100)
    assert low > 0.5 and high < 1 and bootstrap.votes_to_settle(6, 4) == 87


def test_length_control_takes_out_what_length_explains():
    # whoever is longer wins, and one side is longer three times in four: raw 0.75, controlled 0.5
    gap = np.array([40.0] * 60 + [-40.0] * 20)
    scores = np.where(gap > 0, 0.9, 0.1)
    found = bootstrap.length_controlled(scores, 100 + gap, np.full(80, 100.0))
    assert found is not None and found.raw == pytest.approx(0.7) and found.length > 0
    assert found.rate.value == pytest.approx(0.5, abs=1e-3)
    # equal lengths: nothing to take out
    same = bootstrap.length_controlled([1, 1, 1, 0], [5] * 4, [5] * 4)
    assert same is not None and same.rate.value == pytest.approx(0.75, abs=1e-3)
    # one-sided results stay finite, and nothing gives nothing
    sure = bootstrap.length_controlled([1.0] * 10, range(10), [0] * 10)
    assert sure is not None and 0.9 < sure.rate.value < 1
    assert bootstrap.length_controlled([], [], []) is None


def test_pairs_of_one_prompt_do_not_narrow_the_length_controlled_rate():
    scores, lengths, other = [1.0, 1.0, 0.0, 1.0, 0.0, 0.0], [5, 4, 6, 3, 2, 6], [4, 4, 4, 4, 4, 4]
    prompts = list(range(6)) * 5
    once = bootstrap.length_controlled(scores, lengths, other)
    often = bootstrap.length_controlled(scores * 5, lengths * 5, other * 5, prompts)
    independent = bootstrap.length_controlled(scores * 5, lengths * 5, other * 5)
    assert once is not None and often is not None and independent is not None
    assert often.rate.value == pytest.approx(once.rate.value, abs=0.01)
    wide, same, narrow = (each.rate.high - each.rate.low for each in (once, often, independent))
    assert same > 0.85 * wide > 1.5 * narrow


def test_bradley_terry_by_hand():
    # strengths 4 : 2 : 1 reproduce these shares exactly: 2/3, 2/3, 4/5
    wins = {
        ("a", "b"): 20,
        ("b", "a"): 10,
        ("b", "c"): 20,
        ("c", "b"): 10,
        ("a", "c"): 24,
        ("c", "a"): 6,
    }
    found = bootstrap.bradley_terry(wins)
    assert [each.name for each in found] == ["a", "b", "c"]
    ladder = [each.strength for each in found]
    assert ladder == pytest.approx([math.log(2), 0, -math.log(2)], abs=1e-9)
    assert all(each.low < each.strength < each.high and each.games == 60 for each in found)


def test_bradley_terry_of_two_is_the_log_odds():
    first, second = bootstrap.bradley_terry({("x", "y"): 30, ("y", "x"): 10})
    assert first.strength - second.strength == pytest.approx(math.log(3), abs=1e-9)
    # each strength is half the difference, whose variance is 1/30 + 1/10
    half = 1.959963984540054 * math.sqrt(1 / 30 + 1 / 10) / 2
    assert first.high - first.strength == pytest.approx(half, abs=1e-9)


def test_bradley_terry_says_when_nobody_beat_somebody():
    with pytest.raises(ConfigError, match="nobody beat x"):
        bootstrap.bradley_terry({("x", "y"): 3, ("y", "z"): 1, ("z", "y"): 1})
    with pytest.raises(ConfigError, match="Collect more votes"):
        bootstrap.bradley_terry({})


def test_the_difficulty_of_prompts_is_a_term_of_its_own():
    """Dubois et al.'s third term: what a prompt is like for others explains scores that length,
    which goes with it, would be blamed for."""
    rng = np.random.default_rng(5)
    hard = rng.normal(0, 2, 4000)
    gap = hard + rng.normal(0, 0.5, 4000)  # easy prompts have longer answers
    won = rng.random(4000) < 1 / (1 + np.exp(-(0.4 + hard)))
    given = (won.astype(float), 100 + gap, np.full(4000, 100.0))
    without, found = (bootstrap.length_controlled(*given, difficulty=d) for d in (None, hard))
    assert without is not None and found is not None
    assert abs(found.length) < 0.4 < without.length
    truth = float((1 / (1 + np.exp(-(0.4 + hard)))).mean())
    assert abs(found.rate.value - truth) < 0.02 and found.rate.low < truth < found.rate.high
