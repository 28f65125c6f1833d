"""Recipes by goal: valid on every model of the catalog, found by name, and on the form."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.core.errors import ConfigError
from studio.core.model_catalog import catalog
from studio.runs.goals import goals
from studio.runs.recipe import Recipe, find_recipe, presets


def test_every_goal_is_a_recipe_on_any_model_with_two_lines_to_read() -> None:
    assert len(goals()) == 6 and not set(goals()) & set(presets())
    for goal in goals().values():
        assert goal.expect.endswith(".") and goal.wrong.endswith(".")
        assert find_recipe(goal.slug) == Recipe.of(goal.values())
        for model in catalog():
            recipe = Recipe.of(goal.values(model, "mine"))
            assert (recipe.model_name_or_path, recipe.dataset_name) == (model, "mine")
            assert all(getattr(recipe, name) is not None for name in goal.fields)


def test_what_a_goal_does_not_name_follows_from_objective_and_method() -> None:
    found = find_recipe("prefer-one-kind")
    assert found.learning_rate == Recipe.defaults("dpo").learning_rate
    assert found.dataset_name == "pocket-preference"
    assert find_recipe("reason-better").reward_funcs == ("numeric",)


def test_a_wrong_name_lists_recipes_and_goals(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r'Did you mean "teach-a-style".*By goal: teach-a-style'):
        find_recipe("teach-style")
