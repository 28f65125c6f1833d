"""What a recipe's rewards, group size, and beta must satisfy."""

from __future__ import annotations

import pytest

from studio.runs import reward_rules
from studio.runs.recipe import Recipe


def errors(objective: str, **changes: object) -> list[str]:
    """What the rules say of a recipe that was not checked as a whole."""
    values = Recipe.defaults(objective).model_copy(update=changes)
    return list(reward_rules.validation_errors(values))


def test_good_recipes_pass():
    assert errors("dpo") == []
    assert errors("grpo", reward_funcs=("exact",)) == []


@pytest.mark.parametrize(
    ("objective", "changes", "words"),
    [
        ("dpo", {"beta": 0.0}, "beta must be above 0"),
        ("grpo", {"reward_funcs": ("nonsense",)}, "nonsense"),
        ("grpo", {"accelerate_config": "multi_gpu"}, "one process"),
        ("rloo", {"num_generations": 3}, "no multiple of num_generations 3"),
    ],
)
def test_what_cannot_work_is_named(objective, changes, words):
    (found,) = errors(objective, **changes)
    assert words in found and not found.endswith(".")


def test_grpo_may_do_without_a_reference():
    assert errors("grpo", beta=0.0) == []
