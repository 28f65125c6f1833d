"""Recommended values for an objective, a method, and a device."""

from __future__ import annotations

import pytest

from studio.runs import defaults
from studio.runs.methods import METHODS
from studio.runs.objectives import OBJECTIVES
from studio.runs.recipe import Recipe


def rate(objective: str, method: str = "lora") -> float:
    return Recipe.defaults(objective, method).learning_rate


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_default_has_a_reason_and_a_value_the_recipe_takes(objective, method):
    found = list(defaults.defaults(objective, method))
    assert all(len(each.why) > 10 for each in found)
    assert len({each.field for each in found}) == len(found)
    assert {each.field for each in found} <= set(Recipe.model_fields)


def test_rates_follow_the_objective_and_the_method():
    assert rate("sft") == 2e-4
    assert rate("dpo") == 5e-6
    assert rate("sft", "vera") == pytest.approx(10 * rate("sft"))
    assert rate("sft", "full") == pytest.approx(rate("sft") / 10)
    assert rate("dpo", "full") == 1e-6


def test_an_objective_adds_its_own_values():
    found = {each.field: each for each in defaults.defaults("simpo", "lora")}
    assert found["beta"].value == 2.0 and found["cpo_alpha"].value == 0.0


def test_unknown_names_have_no_defaults():
    assert defaults.defaults_for("nonsense", "lora") == {}
    assert defaults.defaults_for("sft", "nonsense") == {}


@pytest.mark.parametrize("method", METHODS)
def test_only_a_full_fine_tune_on_a_gpu_has_8_bit_states_by_default(method):
    recipe = Recipe.defaults("sft", method)
    there = [defaults.optimizer(recipe, device) for device in ("cuda", "mps", "cpu")]
    plain = "adamw_torch_fused"
    assert there == ["adamw_8bit" if method == "full" else plain, plain, plain]
    assert not [*defaults.for_device(recipe, "cuda"), *defaults.for_device(recipe, "cpu")]


def test_an_optimizer_that_was_chosen_stays_where_it_works():
    for name in ("adafactor", "paged_adamw_32bit"):
        chosen = Recipe.defaults("sft", "full", optim=name)
        assert not list(defaults.for_device(chosen, "cuda"))
        assert defaults.optimizer(chosen, "cuda") == defaults.optimizer(chosen, "cpu") == name
    back = list(defaults.for_device(Recipe.defaults("sft", optim="paged_adamw_8bit"), "cpu"))
    assert [each.value for each in back] == ["auto"]


def test_the_help_says_why_paged_optimizers_are_no_default():
    assert "leaks" in (Recipe.model_fields["optim"].description or "")
