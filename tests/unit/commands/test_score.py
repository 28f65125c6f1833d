"""`score` as a function: what it refuses. (Real scores: tests/unit/training.)"""

from __future__ import annotations

import pytest

from studio import Commands
from studio.core.errors import ConfigError
from studio.runs.recipe import Recipe


@pytest.mark.parametrize(
    ("data", "metrics", "words"),
    [
        ("pocket-questions", ["containz"], 'Did you mean "contains"?'),
        ("pocket-questions", ["loss"], "loss needs prompt completion"),
        ("pocket-prompts", ["exact_match"], "holds none"),
    ],
)
def test_metrics_that_do_not_suit_the_rows_are_refused(do: Commands, tuned, data, metrics, words):
    with pytest.raises(ConfigError) as refused:
        do.score(run=["tuned"], data=data, metrics=metrics)
    assert words in str(refused.value)


def test_runs_that_are_not_comparable_are_refused(do: Commands, tuned, store):
    with pytest.raises(ConfigError, match="There is no run 'none'"):
        do.score(run=["none"], data="pocket-questions")
    other = store.create(Recipe.defaults(name="other", model_name_or_path="gpt2"))
    with pytest.raises(ConfigError, match="different base models"):
        do.score(run=["tuned", other.id], data="pocket-questions")
    with pytest.raises(ConfigError, match="single run"):
        do.score(run=["tuned", other.id], data="pocket-questions", checkpoints=True)
