"""The calculator's fields are the recipe's: their values, what follows, what a click does."""

from __future__ import annotations

import gradio as gr
import pytest

from components.calculator.inputs import EXAMPLE, Asked, Inputs
from components.ui import recipe_defaults, recipe_fields
from studio import Studio
from studio.core.errors import ConfigError
from studio.runs.methods import METHODS
from studio.runs.recipe import Recipe
from tests.unit.calculator.conftest import TINYLLAMA


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    studio = Studio(tmp_path_factory.mktemp("home"))
    with gr.Blocks():
        yield Inputs(studio)
    studio.close()


def page(inputs):
    """What a browser holds of the fields when the page opens."""
    fields = (*inputs.fields.values(), *inputs.own.values())
    return {inputs.base: inputs.base.value} | {field: field.value for field in fields}


def test_it_opens_with_the_train_forms_recipe(inputs):
    recipe, _ = recipe_defaults.usual(recipe_defaults.FIRST)
    assert inputs.recipe(page(inputs)) == recipe.with_(name="")
    assert inputs.asked(page(inputs)) == Asked()


def test_rows_and_prices_are_read_as_numbers(inputs):
    data = page(inputs)
    data |= {inputs.own["rows"]: "1,000", inputs.own["mean_tokens"]: " 60 "}
    assert inputs.asked(data) == Asked(rows=1000, mean_tokens=60)
    data[inputs.own["per_hour"]] = "much"
    with pytest.raises(ConfigError, match="Price per hour is 'much'"):
        inputs.asked(data)


def test_every_field_has_the_recipes_label_and_help(inputs):
    for name, widget in inputs.fields.items():
        assert widget.label == recipe_fields.parameters()[name].label
        assert widget.info == recipe_fields.help_of(name)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_a_recipe_with_its_defaults(inputs, method):
    before = inputs.values(page(inputs))
    now = inputs.followed(before, {**before, "method": method})
    recipe = recipe_fields.read(now)
    assert (recipe.method, recipe.model_name_or_path) == (method, "pocket")
    assert recipe.learning_rate == recipe_defaults.usual(("sft", method, "pocket"))[0].learning_rate


def test_what_was_changed_itself_does_not_follow(inputs):
    before = inputs.values(page(inputs))
    now = inputs.followed(before, {**before, "objective": "dpo", "max_length": 99})
    assert now["max_length"] == 99
    assert recipe_fields.read(now).loss_type == ("sigmoid",)


def test_updates_show_what_applies_and_set_what_changed(inputs):
    before = inputs.values(page(inputs))
    now = inputs.followed(before, {**before, "method": "full"})
    base, *updates = inputs.updates(before, now)
    shown = dict(zip(inputs.fields, updates, strict=True))
    assert base["learning_rate"] == now["learning_rate"] != before["learning_rate"]
    assert shown["method"]["value"] == "full"
    assert shown["lora_r"]["visible"] is False and "value" not in shown["lora_r"]


def test_targets_follow_the_model(inputs, monkeypatch):
    monkeypatch.setattr(inputs.studio.worker, "ready", True)
    before = inputs.values(page(inputs)) | {"lora_target_modules": "q_proj, c_attn"}
    now = inputs.followed(before, {**before, "model_name_or_path": "openai-community/gpt2"})
    assert now["lora_target_modules"] == "c_attn"
    before["lora_target_modules"] = "q_proj"
    now = inputs.followed(before, {**before, "model_name_or_path": "openai-community/gpt2"})
    assert now["lora_target_modules"] == "all-linear"


def test_a_switch_turns_targets_on_and_off(inputs):
    def switched(targets, *names):
        values = {"model_name_or_path": TINYLLAMA, "lora_target_modules": targets}
        return inputs.switched(values, list(names))

    assert switched("q_proj", "v_proj") == "q_proj, v_proj"
    assert switched("q_proj, v_proj", "q_proj") == "v_proj"
    without = switched("all-linear", "down_proj")
    assert "down_proj" not in without and len(without.split(", ")) == 6
    assert switched(without, "down_proj") == "all-linear"


def test_the_example_is_the_workshops(inputs):
    recipe = Recipe.of(EXAMPLE)
    assert (recipe.model_name_or_path, recipe.lora_r) == (TINYLLAMA, 8)
