"""The calculator's page: markup from figures, choices to a recipe and back."""

from __future__ import annotations

from types import SimpleNamespace

import gradio as gr
import pytest

from components import calculator_tab, calculator_views, drawing
from components.calculator_choices import Choices
from studio.calculator import estimate, matrix, suggestions
from studio.errors import ConfigError, ModelError
from studio.recipe import Recipe
from tests.unit.calculator.conftest import TINY

TINYLLAMA = "TinyLlama/TinyLlama-1.1B-Chat-v1.0"


@pytest.fixture
def choices():
    with gr.Blocks():
        return Choices()


def chosen(choices, **changes):
    """What `Choices.read` gives for the form as it opens, with changes."""
    data = {field: field.value for field in choices.fields.values()}
    data |= {choices.fields[name]: value for name, value in changes.items()}
    return choices.read(data)


def test_the_form_opens_on_the_workshops_model(choices):
    html, offered = calculator_views.model_view(chosen(choices))
    assert "1.53 M" in html and "0.139 %" in html and "13.91 %" in html
    assert "1,531,904 of 1,101,580,288 parameters (0.1391 %)" in html
    assert offered == ()


def test_changes_offered_are_the_settings_behind_the_buttons(choices):
    html, offered = calculator_views.model_view(
        chosen(choices, model="mistralai/Mistral-7B-Instruct-v0.3")
    )
    assert 'data-change="0"' in html
    updates = dict(zip(choices.fields, choices.filled(dict(offered[0])), strict=True))
    assert updates["activation_checkpointing"]["value"] is True
    assert "value" not in updates["model"]


@pytest.mark.parametrize("method", ["lora", "qlora", "dora", "full", "rslora"])
def test_choices_become_a_valid_recipe(choices, method):
    wanted = choices.as_recipe(chosen(choices, method=method))
    assert wanted is not None
    recipe = Recipe.defaults(wanted["objective"], wanted["method"]).with_(**wanted)
    assert recipe.model_name_or_path == TINYLLAMA


@pytest.mark.parametrize("method", ["vera", "ia3", "prompt_tuning", "adalora"])
def test_every_counted_method_can_be_trained(choices, method):
    wanted = choices.as_recipe(chosen(choices, method=method))
    assert wanted is not None
    assert Recipe.defaults(wanted["objective"], method).with_(**wanted).method == method
    assert calculator_views.model_view(chosen(choices, method=method))[0]


def test_a_recipe_fills_the_form(choices):
    recipe = Recipe.defaults("dpo", "qlora", lora_r=32, lora_target_modules=["q_proj"])
    updates = dict(zip(choices.fields, choices.filled(calculator_tab.ask(recipe)), strict=True))
    assert updates["lora_r"]["value"] == 32
    assert updates["objective"]["value"] == "dpo"
    assert updates["method"]["value"] == "qlora"
    assert updates["model"]["value"] == "pocket"


def test_targets_follow_the_model(choices):
    update = choices.targets_for("openai-community/gpt2", ["q_proj", "c_attn"])
    assert update["value"] == ["c_attn"]
    assert choices.targets_for("openai-community/gpt2", ["q_proj"])["value"] == ["all-linear"]


def test_handles_refuse_choices_that_cannot_be_used():
    handles = calculator_tab.CalculatorHandles(*[SimpleNamespace()] * 3)
    with pytest.raises(ConfigError):
        handles.current_choices(None)
    assert handles.current_choices({"lora_r": 8}) == {"lora_r": 8}


def test_errors_reach_the_page_as_they_are(choices):
    with pytest.raises(ModelError, match="No model is named"):
        calculator_views.model_view(chosen(choices, model=""))
    with pytest.raises(ConfigError, match="called nope"):
        calculator_views.model_view(chosen(choices, lora_target_modules=["nope"]))
    assert "rank is 0" in calculator_views.matrix_or_words(6, 7, 0)


def test_names_from_a_config_are_escaped(choices):
    config = '{"_name_or_path": "<script>alert(1)</script>", ' + ", ".join(
        f'"{key}": "{value}"' if isinstance(value, str) else f'"{key}": {value}'
        for key, value in TINY.items()
    ) + "}"  # fmt: skip
    html, _ = calculator_views.model_view(chosen(choices, model=config))
    assert "<script>" not in html and "&lt;script&gt;" in html


@pytest.mark.parametrize(
    ("out", "into", "r"), [(6, 7, 3), (1000, 768, 8), (8192, 1, 1), (1, 9, 512)]
)
def test_the_drawing_keeps_to_one_scale_and_inside_its_frame(out, into, r):
    import re

    svg = drawing.matrix_svg(matrix(out, into, r))
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
    assert 'class="limit' in drawing.memory_bar(over)
    assert drawing.changes(suggestions(over)).count("data-change") >= 1
    assert 'class="limit' not in drawing.memory_bar(estimate(TINY, card="T4"))
