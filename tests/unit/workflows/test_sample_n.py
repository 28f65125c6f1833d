"""Several answers to every prompt, each with its reward."""

from __future__ import annotations

import pytest

from studio import Studio
from studio.core.errors import DataError, ModelError
from studio.generation.request import Column, Generation, Sampling
from studio.rewards import WeightedReward
from studio.workflows.sample_n import answer_n
from tests.instant import answer, prompts


@pytest.fixture
def studio(tmp_path, monkeypatch):
    made = Studio(tmp_path / "home")
    monkeypatch.setattr(made, "generate", answer)
    yield made
    made.close()


def test_answers_and_rewards_are_grouped_by_prompt(studio):
    rows = [{"prompt": asked} for asked in prompts(2)]
    reward = WeightedReward(["length:1-4", "contains:word"], None, {})
    rows[0]["word"], rows[1]["word"] = "0", "9"
    asked, answers, graded = answer_n(
        studio, Column("pocket", label="x"), rows, reward, 3, Sampling()
    )
    assert asked == prompts(2)
    assert answers == [["x says question 0"] * 3, ["x says question 1"] * 3]
    assert [[one.total for one in each] for each in graded] == [[2.0] * 3, [1.0] * 3]
    with pytest.raises(DataError, match="No row asks anything"):
        answer_n(studio, Column("pocket"), [{"prompt": ""}], reward, 2, Sampling())


def test_a_column_that_cannot_answer_is_an_error(studio, monkeypatch):
    def fail(request):
        generation = Generation(request)
        generation.end_part("The adapter is gone.")
        return generation

    monkeypatch.setattr(studio, "generate", fail)
    rows = [{"prompt": asked} for asked in prompts(1)]
    with pytest.raises(ModelError, match="adapter is gone"):
        answer_n(
            studio, Column("pocket"), rows, WeightedReward(["length:1-4"], None, {}), 2, Sampling()
        )
