"""The gain of the best of n, and the pairs that would teach most."""

from __future__ import annotations

import pytest

from studio.core.errors import DataError
from studio.rewards.best_of_n import best_of, best_rows, disagreement, gain, probability

PROMPT = [{"role": "user", "content": "What is two and two?"}]


def test_best_of_is_the_mean_over_all_choices() -> None:
    assert best_of([1.0, 2.0, 6.0]) == pytest.approx([3.0, (2 + 6 + 6) / 3, 6.0])
    # the value of what the reward picks, which need not be the best value
    assert best_of([1.0, 2.0], [10.0, 0.0]) == pytest.approx([5.0, 0.0])
    assert gain([[0.0, 1.0], [1.0, 1.0]]) == pytest.approx([0.75, 1.0])


def test_the_best_answers_as_rows() -> None:
    prompts = [PROMPT, PROMPT]
    rows = best_rows(prompts, [["a", "b"], ["c", "d"]], [[0.1, 0.9], [0.3, 0.2]], least=0.5)
    assert [row["completion"][0]["content"] for row in rows] == ["b"]
    with pytest.raises(DataError, match="lower the least reward"):
        best_rows(prompts, [["a"], ["b"]], [[0.1], [0.2]], least=0.5)


def test_disagreement_puts_the_surprising_first() -> None:
    assert probability(0.0) == 0.5
    assert probability(800) == pytest.approx(1.0) and probability(-800) == pytest.approx(0.0)
    assert disagreement(4.0, 0, 3) > disagreement(0.0, 0, 0) > disagreement(4.0, 3, 0)
