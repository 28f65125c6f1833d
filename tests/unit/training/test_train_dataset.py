"""Which datasets a recipe is refused for, before anything is loaded."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from studio.core.errors import DataError
from studio.runs.recipe import Recipe
from studio.training.train_dataset import check_fit


def test_mask_history_is_not_passed_over_for_prompts_with_completions() -> None:
    dataset: Any = SimpleNamespace(name="pairs", type="prompt_completion")
    recipe = Recipe.defaults("sft", mask_history=True)
    with pytest.raises(DataError, match="set assistant_only_loss to true"):
        check_fit(recipe, dataset)
    check_fit(recipe.with_(assistant_only_loss=True), dataset)


def test_a_dataset_of_another_type_is_refused_with_what_fits() -> None:
    dataset: Any = SimpleNamespace(name="pairs", type="prompt_completion")
    with pytest.raises(DataError, match="pairs holds prompt completion rows, and DPO learns from"):
        check_fit(Recipe.defaults("dpo"), dataset)
