"""Changes that make a run fit, each a change of the recipe."""

from __future__ import annotations

from studio.calculator import estimate, suggestions
from studio.calculator.advice import dpo_mix
from studio.runs.recipe import Recipe
from tests.unit.calculator.conftest import MISTRAL, TINY, recipe_of


def test_suggestions_make_it_fit():
    found = estimate(recipe_of(MISTRAL, max_length=2048), "L4")
    assert found.verdict == "does not fit"
    offered = suggestions(found)
    assert offered[0].verdict == "fits"
    for change in offered:
        after = estimate(found.recipe.with_(**dict(change.settings)), "L4")
        assert (after.memory.total, after.verdict) == (change.total, change.verdict)
    assert suggestions(estimate(recipe_of(TINY), "L4")) == []


def test_a_smaller_batch_keeps_the_rows_of_a_step():
    found = estimate(recipe_of(MISTRAL, per_device_train_batch_size=32), "A100 40")
    batches = [
        dict(change.settings)
        for change in suggestions(found, limit=20)
        if "gradient_accumulation_steps" in dict(change.settings)
    ]
    assert batches
    for change in batches:
        rows = change["per_device_train_batch_size"] * change["gradient_accumulation_steps"]
        assert rows == 32


def test_a_full_fine_tune_that_does_not_fit_is_offered_lora():
    found = estimate(recipe_of(MISTRAL, "full", per_device_train_batch_size=1), "A100 40")
    methods = {dict(change.settings).get("method") for change in suggestions(found)}
    assert methods & {"lora", "qlora"}


def test_ktos_batch_is_never_below_two():
    tight = estimate(recipe_of(MISTRAL, "lora", "kto"), "T4")
    changes = [dict(change.settings) for change in suggestions(tight, limit=20)]
    assert changes
    assert min(each.get("per_device_train_batch_size", 2) for each in changes) == 2


def test_completions_per_step_stay_whole_groups():
    recipe = recipe_of(
        "mistralai/Mistral-7B-Instruct-v0.3",
        "lora",
        "grpo",
        per_device_train_batch_size=64,
        max_length=2048,
    )
    changes = [dict(change.settings) for change in suggestions(estimate(recipe, "A100 80"), 20)]
    assert changes
    for change in changes:
        assert recipe.with_(**change).num_generations == 8  # valid, with groups as they were


def test_combined_changes_where_no_single_one_is_enough():
    found = estimate(recipe_of(MISTRAL, max_length=4096, per_device_train_batch_size=32), "T4")
    first = suggestions(found)[0]
    assert first.verdict == "fits" and " + " in first.label
    assert "\N{RIGHTWARDS ARROW}" in first.words()


def test_dpo_on_few_or_long_pairs_is_offered_imitation():
    recipe = Recipe.defaults("dpo")
    assert "sigmoid,sft" in dpo_mix(recipe, 100, 60) and "are few" in dpo_mix(recipe, 100, 60)
    assert "are long" in dpo_mix(recipe, 5000, 900)
    assert dpo_mix(recipe, 5000, 60) == ""
    mixed = recipe.with_(loss_type=("sigmoid", "sft"), loss_weights=(1.0, 0.2))
    assert dpo_mix(mixed, 100, 60) == "" and dpo_mix(Recipe.defaults("kto"), 100, 60) == ""
