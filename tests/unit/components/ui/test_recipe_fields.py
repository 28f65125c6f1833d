"""The recipe's form: every parameter has a widget, values survive in and out, defaults follow."""

from __future__ import annotations

import pytest

from components.ui import recipe_defaults, recipe_fields
from studio.core.errors import ConfigError
from studio.core.formatting import rate_text
from studio.runs.recipe import Recipe

LORA = ("sft", "lora", "someone/model")


def test_every_parameter_is_in_the_form_once():
    placed = [*recipe_fields.SIMPLE, *recipe_fields.EVERYDAY]
    for name, parameter in recipe_fields.parameters().items():
        if parameter.group in ("what", "model"):
            assert name in {*placed, "name", "model_revision", "datasets"}, name
        else:
            assert parameter.group in recipe_fields.GROUPS, name
    assert len(recipe_fields.SIMPLE) <= 8
    assert len(set(placed)) == len(placed)
    assert set(Recipe.model_fields) - set(recipe_fields.parameters()) == set()


def test_every_parameter_has_a_label_and_a_help_that_names_the_field():
    for name, parameter in recipe_fields.parameters().items():
        assert parameter.label and parameter.help
        assert recipe_fields.help_of(name).endswith(f"({name})")


@pytest.mark.parametrize("slug", sorted(recipe_defaults.shipped()))
def test_a_shipped_recipe_survives_the_form(slug: str):
    recipe = recipe_defaults.shipped()[slug]
    assert recipe_fields.read(recipe_fields.written(recipe)) == recipe


def test_values_that_people_type():
    values = recipe_fields.written(Recipe.defaults("sft"))
    values |= {
        "learning_rate": " 3e-5 ",
        "lora_target_modules": "q_proj, v_proj",
        "eval_steps": None,
    }
    recipe = recipe_fields.read(values)
    assert recipe.learning_rate == 3e-5
    assert recipe.lora_target_modules == ("q_proj", "v_proj")
    assert recipe.eval_steps is None


@pytest.mark.parametrize("text", ["", "fast", "1..2"])
def test_a_number_that_is_none_is_refused_by_name(text: str):
    values = recipe_fields.written(Recipe.defaults("sft")) | {"learning_rate": text}
    with pytest.raises(ConfigError, match="learning_rate"):
        recipe_fields.read(values)


def test_what_does_not_apply_is_left_out():
    values = recipe_fields.written(Recipe.defaults("sft")) | {"beta": "0.7", "method": "full"}
    recipe = recipe_fields.read(values | {"lora_r": 64})
    assert recipe.beta == 0.1
    assert recipe.lora_r == 16
    assert not recipe_fields.parameters()["lora_r"].applies("sft", "full")
    assert recipe_fields.parameters()["bnb_4bit_quant_type"].applies("sft", "qlora")


@pytest.mark.parametrize(
    ("value", "text"), [(2e-4, "2e-4"), (5e-6, "5e-6"), (1.5e-5, "1.5e-5"), (3.0, "3"), (0, "0")]
)
def test_rates_are_written_as_people_write_them(value: float, text: str):
    assert rate_text(value) == text


def test_dpo_brings_its_own_learning_rate_and_says_so():
    changes, note = recipe_defaults.follow(LORA, ("dpo", "lora", "someone/model"))
    assert changes["learning_rate"] == "5e-6"
    assert "Learning rate 5e-6" in note and "the defaults for LoRA DPO" in note


def test_the_pocket_model_follows_its_shipped_recipe():
    changes, note = recipe_defaults.follow(("sft", "lora", "pocket"), ("dpo", "lora", "pocket"))
    shipped = recipe_defaults.shipped()["pocket-dpo"]
    assert changes["learning_rate"] == rate_text(shipped.learning_rate)
    assert "pocket-dpo" in note


def test_nothing_follows_where_nothing_changed():
    assert recipe_defaults.follow(LORA, LORA) == ({}, "")


def test_the_command_gives_the_recipe_back():
    recipe = recipe_defaults.shipped()["pocket-sft"].with_(
        num_train_epochs=2, lora_target_modules=("q_proj", "v_proj"), start_from=None
    )
    said = recipe_defaults.command(recipe)
    assert said.startswith("python -m studio train pocket-sft")
    assert "--set lora_target_modules=q_proj,v_proj" in said
    assert "learning_rate" not in said


def test_defaults_follow_the_device_and_say_so() -> None:
    shipped = ("dpo", "qlora", "Qwen/Qwen2-0.5B-Instruct")
    assert recipe_defaults.usual(shipped, "cuda")[0].optim == "paged_adamw_8bit"
    recipe, why = recipe_defaults.usual(shipped, "cpu")
    assert recipe.optim == "auto" and "bundled" in why
