"""The recipe's form: every knob has a widget, values survive in and out, defaults follow."""

from __future__ import annotations

import pytest

from components import form, form_follow
from studio.errors import ConfigError
from studio.recipe import Recipe

LORA = ("sft", "lora", "someone/model")


def test_every_knob_is_in_the_form_once():
    placed = [*form.SIMPLE, *form.EVERYDAY]
    for name, knob in form.knobs().items():
        if knob.group in ("what", "model"):
            assert name in {*placed, "name", "model_revision"}, name
        else:
            assert knob.group in form.GROUPS, name
    assert len(form.SIMPLE) <= 7
    assert len(set(placed)) == len(placed)
    assert set(Recipe.model_fields) - set(form.knobs()) == set()


def test_every_knob_has_a_label_and_a_help_that_names_the_field():
    for name, knob in form.knobs().items():
        assert knob.label and knob.help
        assert form.help_of(name).endswith(f"({name})")


@pytest.mark.parametrize("slug", sorted(form_follow.shipped()))
def test_a_shipped_recipe_survives_the_form(slug: str):
    recipe = form_follow.shipped()[slug]
    assert form.read(form.written(recipe)) == recipe


def test_values_that_people_type():
    values = form.written(Recipe.defaults("sft"))
    values |= {
        "learning_rate": " 3e-5 ",
        "lora_target_modules": "q_proj, v_proj",
        "eval_steps": None,
    }
    recipe = form.read(values)
    assert recipe.learning_rate == 3e-5
    assert recipe.lora_target_modules == ("q_proj", "v_proj")
    assert recipe.eval_steps is None


@pytest.mark.parametrize("text", ["", "fast", "1..2"])
def test_a_number_that_is_none_is_refused_by_name(text: str):
    values = form.written(Recipe.defaults("sft")) | {"learning_rate": text}
    with pytest.raises(ConfigError, match="learning_rate"):
        form.read(values)


def test_what_does_not_apply_is_left_out():
    values = form.written(Recipe.defaults("sft")) | {"beta": "0.7", "method": "full"}
    recipe = form.read(values | {"lora_r": 64})
    assert recipe.beta == 0.1
    assert recipe.lora_r == 16
    assert not form.knobs()["lora_r"].applies("sft", "full")
    assert form.knobs()["bnb_4bit_quant_type"].applies("sft", "qlora")


@pytest.mark.parametrize(
    ("value", "text"), [(2e-4, "2e-4"), (5e-6, "5e-6"), (1.5e-5, "1.5e-5"), (3.0, "3"), (0, "0")]
)
def test_rates_are_written_as_people_write_them(value: float, text: str):
    assert form.number_text(value) == text


def test_dpo_brings_its_own_learning_rate_and_says_so():
    changes, note = form_follow.follow(LORA, ("dpo", "lora", "someone/model"))
    assert changes["learning_rate"] == "5e-6"
    assert "Learning rate 5e-6" in note and "usual for LoRA DPO" in note


def test_the_pocket_model_follows_its_shipped_recipe():
    changes, note = form_follow.follow(("sft", "lora", "pocket"), ("dpo", "lora", "pocket"))
    shipped = form_follow.shipped()["pocket-dpo"]
    assert changes["learning_rate"] == form.number_text(shipped.learning_rate)
    assert "pocket-dpo" in note


def test_nothing_follows_where_nothing_changed():
    assert form_follow.follow(LORA, LORA) == ({}, "")


def test_the_command_gives_the_recipe_back():
    recipe = form_follow.shipped()["pocket-sft"].with_(
        num_train_epochs=2, lora_target_modules=("q_proj", "v_proj"), start_from=None
    )
    said = form_follow.command(recipe)
    assert said.startswith("python -m studio train pocket-sft")
    assert "--set lora_target_modules=q_proj,v_proj" in said
    assert "learning_rate" not in said


def test_defaults_follow_the_device_and_say_so() -> None:
    before, after = ("sft", "lora", "some/model"), ("sft", "qlora", "some/model")
    changes, note = form_follow.follow(before, after, "cuda")
    assert changes["optim"] == "paged_adamw_8bit" and "tight card" in note
    changes, note = form_follow.follow(before, after, "cpu")
    assert "optim" not in changes and "paged" not in note
    shipped = ("dpo", "qlora", "Qwen/Qwen2-0.5B-Instruct")
    assert form_follow.usual(shipped, "cuda")[0].optim == "paged_adamw_8bit"
    recipe, why = form_follow.usual(shipped, "cpu")
    assert recipe.optim == "adamw_torch_fused" and "shipped" in why
