"""The calculator's page: markup from figures, choices to a recipe and back."""

from __future__ import annotations

from types import SimpleNamespace

import gradio as gr
import pytest

from components.calculator import (
    handlers,
    lora_matrix_svg,
    memory_html,
    module_tree_html,
    results_html,
)
from components.calculator import tab as calculator_tab
from components.calculator.inputs import WORKSHOP, Choices
from components.ui import recipe_defaults
from studio import Studio
from studio.calculator import estimate, matrix, suggestions
from studio.calculator.adapter_settings import METHODS
from studio.core.errors import ConfigError, ModelError
from studio.runs.recipe import Recipe
from tests.unit.calculator.conftest import TINY

TINYLLAMA = "TinyLlama/TinyLlama-1.1B-Chat-v1.0"


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    here = Studio(tmp_path_factory.mktemp("home"))
    yield here
    here.close()


@pytest.fixture(scope="module")
def choices(studio):
    with gr.Blocks():
        return Choices(studio)


def view(choices, **changes):
    """The right column for the form as it opens, with changes; no dataset unless named."""
    asked = chosen(choices, **({"dataset": ""} | changes))
    return results_html.model_view(choices.studio, asked)


def chosen(choices, **changes):
    """What `Choices.read` gives for the workshop's example on a T4, with changes."""
    values = choices.values({field: field.value for field in choices.fields.values()})
    workshop = {"dtype": "auto", "max_length": 512, "card": "T4 16 GB"} | WORKSHOP
    return choices.read(values | workshop | changes)


def test_the_form_opens_with_what_the_train_form_does(choices):
    values = choices.values({field: field.value for field in choices.fields.values()})
    recipe, _ = recipe_defaults.usual(("sft", "lora", "pocket"))
    settings = choices.given(handlers.settings_of(recipe))
    assert {name: values[name] for name in settings} == settings


def test_the_workshops_example(choices):
    html, offered = view(choices)
    assert "1.53 M" in html and "0.139 %" in html and "13.91 %" in html
    assert "1,531,904 of 1,101,580,288 parameters (0.1391 %)" in html
    assert offered == ()


def test_changes_offered_are_the_settings_behind_the_buttons(choices):
    html, offered = view(choices, model="mistralai/Mistral-7B-Instruct-v0.3")
    assert 'data-change="0"' in html
    given = choices.given(dict(offered[0]))
    assert given["activation_checkpointing"] is True and "model" not in given


@pytest.mark.parametrize("method", METHODS)
def test_every_counted_method_becomes_a_valid_recipe_and_comes_back(choices, method):
    wanted = choices.as_recipe(chosen(choices, method=method))
    recipe = Recipe.defaults(wanted["objective"], wanted["method"]).with_(**wanted)
    assert recipe.model_name_or_path == TINYLLAMA
    values = choices.given(handlers.settings_of(recipe))
    assert (values["method"], values["dataset"]) == (method, "pocket-sft")
    if "lora_r" in chosen(choices, method=method):
        assert values["lora_r"] == 8


def test_everything_chosen_goes_to_training_and_back(choices):
    wanted = choices.as_recipe(
        chosen(
            choices,
            rank_pattern="q_proj=4, v_proj=64",
            lora_modules_to_save="lm_head",
            quantization="8bit",
            packing=True,
        )
    )
    recipe = Recipe.defaults(wanted["objective"], wanted["method"]).with_(**wanted)
    assert recipe.rank_pattern == {"q_proj": 4, "v_proj": 64}
    assert recipe.lora_modules_to_save == ("lm_head",)
    assert recipe.load_in_8bit and recipe.packing and not recipe.load_in_4bit
    values = choices.given(handlers.settings_of(recipe))
    assert values["rank_pattern"] == "q_proj=4, v_proj=64"
    assert (values["method"], values["quantization"]) == ("lora", "8bit")


def test_data_of_another_kind_stays_behind(choices):
    assert "dataset_name" in choices.as_recipe(chosen(choices))
    assert "dataset_name" not in choices.as_recipe(chosen(choices, objective="dpo"))
    html, _ = view(choices, objective="dpo", dataset="pocket-sft", model="pocket")
    assert "DPO cannot learn from rows of type conversational, so there is no time" in html
    assert "214 steps" not in html


def test_a_recipe_fills_the_form(choices):
    recipe = Recipe.defaults("dpo", "qlora", lora_r=32, lora_target_modules=["q_proj"])
    values = choices.given(handlers.settings_of(recipe))
    wanted = {"lora_r": 32, "objective": "dpo", "method": "qlora", "model": "pocket"}
    assert {name: values[name] for name in wanted} == wanted
    assert choices.beyond(handlers.settings_of(recipe))["lora_alpha"] == recipe.lora_alpha


def test_targets_follow_the_model(choices):
    update = choices.targets_for("openai-community/gpt2", ["q_proj", "c_attn"])
    assert update["value"] == ["c_attn"]
    assert choices.targets_for("openai-community/gpt2", ["q_proj"])["value"] == ["all-linear"]


def test_a_switch_turns_targets_on_and_off(choices):
    assert choices.switched(TINYLLAMA, ["q_proj"], ["v_proj"]) == ["q_proj", "v_proj"]
    assert choices.switched(TINYLLAMA, ["q_proj", "v_proj"], ["q_proj"]) == ["v_proj"]
    without = choices.switched(TINYLLAMA, ["all-linear"], ["down_proj"])
    assert "down_proj" not in without and len(without) == 6
    assert choices.switched(TINYLLAMA, without, ["down_proj"]) == ["all-linear"]


def test_the_tree_sums_what_is_counted():
    found = estimate(TINYLLAMA, card="L4", lora_r=8, lora_target_modules=["q_proj", "v_proj"])
    root = module_tree_html.grown(found)
    assert (root.parameters, root.trainable) == (found.total_parameters, found.trainable_parameters)
    html = module_tree_html.module_tree(found)
    assert html.count('aria-checked="true"') == 2 and 'data-pick="q_proj,v_proj"' in html
    assert "22</small>" in html
    strip = module_tree_html.layer_strip(estimate(TINYLLAMA, card="L4", method="last_layers"))
    assert strip.count("<i ") == 22 and "Layers 0 to 19: 0 each; layers 20 to 21" in strip


def test_experts_are_one_switch():
    found = estimate("mistralai/Mixtral-8x7B-Instruct-v0.1", card="H200", lora_r=8)
    assert 'data-target="w1,w3,w2"' in module_tree_html.module_tree(found)


def test_time_cost_and_data_are_told(choices):
    html, _ = view(choices, dataset="pocket-sft", card="L4 24 GB", model="pocket")
    assert "steps" in html and "at 0.8 an hour" in html
    assert "tokens a row" in html and "own tokenizer" in html
    html, _ = view(choices, rows=1000, mean_tokens=100, per_hour=3, num_train_epochs=3)
    assert "375 steps" in html and "at 3 an hour" in html


def test_handles_refuse_choices_that_cannot_be_used(choices):
    handles = calculator_tab.CalculatorHandles(
        *[SimpleNamespace()] * 5, SimpleNamespace(choices=choices)
    )
    with pytest.raises(ConfigError):
        handles.current_choices(None)
    wanted = choices.as_recipe(chosen(choices, rank_pattern="q_proj=4"))
    assert handles.current_choices(wanted)["rank_pattern"] == {"q_proj": 4}


def test_errors_reach_the_page_as_they_are(choices):
    with pytest.raises(ModelError, match="No model is named"):
        view(choices, model="")
    with pytest.raises(ConfigError, match="called nope"):
        view(choices, lora_target_modules=["nope"])
    assert "rank is 0" in results_html.matrix_or_words(6, 7, 0)


def test_names_from_a_config_are_escaped(choices):
    config = (
        '{"_name_or_path": "<script>alert(1)</script>", '
        + ", ".join(
            f'"{key}": "{value}"' if isinstance(value, str) else f'"{key}": {value}'
            for key, value in TINY.items()
        )
        + "}"
    )
    html, _ = view(choices, model=config)
    assert "<script>" not in html and "&lt;script&gt;" in html


@pytest.mark.parametrize(
    ("out", "into", "r"), [(6, 7, 3), (1000, 768, 8), (8192, 1, 1), (1, 9, 512)]
)
def test_the_drawing_keeps_to_one_scale_and_inside_its_frame(out, into, r):
    import re

    svg = lora_matrix_svg.matrix_svg(matrix(out, into, r))
    frame = [float(number) for number in re.search(r'viewBox="0 0 (\S+) (\S+)"', svg).groups()]
    boxes = re.findall(r'<rect x="(\S+)" y="(\S+)" width="(\S+)" height="(\S+)"', svg)
    w, b, a = [[float(number) for number in box] for box in boxes]
    for x, y, width, height in (w, b, a):
        assert x >= 0 and x + width <= frame[0] + 0.1
        assert y >= 0 and y + height <= frame[1] + 0.1
    assert w[2] == a[2] and w[3] == b[3] and b[2] == a[3]
    if min(out, into, r) * (w[3] / out) > 2.5:
        assert w[2] / w[3] == pytest.approx(into / out, rel=0.02)


def test_the_bar_marks_the_card_when_it_does_not_fit():
    over = estimate("mistralai/Mistral-7B-Instruct-v0.3", card="T4")
    assert 'class="limit' in memory_html.memory_bar(over)
    assert memory_html.changes(suggestions(over)).count("data-change") >= 1
    assert 'class="limit' not in memory_html.memory_bar(estimate(TINY, card="T4"))
