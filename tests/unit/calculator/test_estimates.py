"""The one entry: a recipe, a GPU and lengths."""

from __future__ import annotations

import json

import pytest

from studio.calculator import RowCount, estimate
from studio.core.errors import ConfigError
from tests.unit.calculator.conftest import LLAMA_3B, TINY, TINYLLAMA, recipe_of


def test_the_line_beside_the_button():
    recipe = recipe_of(TINYLLAMA, lora_r=8, lora_target_modules=["q_proj", "k_proj", "v_proj"])
    found = estimate(recipe, "L4 24 GB", RowCount(1000, 60))
    assert found.line().startswith("1.53 M trainable (0.139 %) \N{MIDDLE DOT} ")
    assert found.line().endswith(" \N{MIDDLE DOT} fits")


def test_as_json():
    plain = json.loads(json.dumps(estimate(recipe_of(TINY, lora_r=4), "L4").as_dict()))
    assert (plain["gpu"], plain["method"], plain["verdict"]) == ("L4 24 GB", "lora", "fits")
    assert plain["trainable_parameters"] == sum(part["trainable"] for part in plain["modules"])
    assert plain["trainable_parameters"] == sum(part["trainable"] for part in plain["layers"])
    assert plain["memory"]["total"] == sum(part["bytes"] for part in plain["terms"])


@pytest.mark.parametrize("objective", ["sft", "dpo"])
@pytest.mark.parametrize("method", ["lora", "dora", "qlora", "full"])
def test_every_recipe_has_an_estimate(objective, method):
    found = estimate(recipe_of(LLAMA_3B, method, objective), "H100", RowCount(100))
    assert found.memory.total > 0 and found.cost.seconds


def test_this_machine_by_default():
    assert estimate(recipe_of(TINY)).gpu.memory > 0


def test_an_unknown_gpu():
    with pytest.raises(ConfigError, match="No GPU is called 'L4O'"):
        estimate(recipe_of(TINY), "L4O")
