"""Experts in stacked weights: said where they stay frozen, counted where they are named."""

from __future__ import annotations

from typing import Any

import pytest

from studio.calculator import estimate, experts
from studio.calculator.meta_model import meta_model
from studio.calculator.parameters import count
from studio.core.errors import ConfigError
from studio.runs.methods import peft_config
from studio.runs.recipe import Recipe
from tests.unit.calculator.conftest import TINY, recipe_of

SIZES = TINY | {"num_hidden_layers": 2, "hidden_size": 32, "intermediate_size": 48}
SHAPES: dict[str, dict[str, Any]] = {
    "mixtral": SIZES | {"model_type": "mixtral", "num_local_experts": 4},
    "qwen3_moe": SIZES
    | {"model_type": "qwen3_moe", "num_experts": 4, "moe_intermediate_size": 24, "head_dim": 8},
    "gpt_oss": SIZES
    | {"model_type": "gpt_oss", "num_local_experts": 4, "num_experts_per_tok": 2, "head_dim": 8},
    "olmoe": SIZES | {"model_type": "olmoe", "num_experts": 4},
}
BOTH = ("mlp.experts.gate_up_proj", "mlp.experts.down_proj")


def moe(shape: str, **fields: Any) -> Recipe:
    return recipe_of(SHAPES[shape], lora_r=4, **fields)


def peft_says(recipe: Recipe) -> int:
    """What PEFT trains on a whole model with weights."""
    import json

    from peft import get_peft_model
    from transformers import AutoConfig, AutoModelForCausalLM

    values = json.loads(recipe.model_name_or_path)
    config = AutoConfig.for_model(values.pop("model_type"), **values)
    model: Any = get_peft_model(AutoModelForCausalLM.from_config(config), peft_config(recipe))
    return model.get_nb_trainable_parameters()[0]


@pytest.mark.parametrize("shape", SHAPES)
def test_named_experts_count_as_peft_counts_them_and_frozen_ones_are_told(shape: str) -> None:
    plain = count(moe(shape, lora_target_modules="q_proj,v_proj"))
    model = meta_model(moe(shape).model_name_or_path)
    assert set(experts.names(model)) == set(BOTH)
    (note,) = [note for note in plain.notes if "experts stay frozen" in note]
    assert all(name in note for name in BOTH)
    changes = {"lora_target_modules": "q_proj,v_proj", "lora_target_parameters": BOTH}
    named = count(moe(shape, **changes))
    assert named.trainable == peft_says(moe(shape, **changes))
    assert f"trains {named.trainable - plain.trainable:,} parameters in them" in note
    assert not any("frozen" in note for note in named.notes)
    by_module = {module.pattern: module.trainable for module in named.modules}
    assert by_module["model.layers.*.mlp.experts"] == named.trainable - plain.trainable


@pytest.mark.parametrize("shape", SHAPES)
def test_all_linear_reaches_the_experts_that_peft_names_for_it(shape: str) -> None:
    """PEFT turns the old names of fused experts into parameters; gpt-oss never had any."""
    found = count(moe(shape))
    assert found.trainable == peft_says(moe(shape))
    told = any("experts stay frozen" in note for note in found.notes)
    assert told == (shape == "gpt_oss")


def test_a_dense_model_has_none_and_a_wrong_name_is_refused() -> None:
    assert not any("experts" in note for note in count(recipe_of(TINY)).notes)
    with pytest.raises(ConfigError, match=r"mlp\.experts\.up, which .* does not have"):
        count(moe("mixtral", lora_target_parameters="mlp.experts.up"))
    with pytest.raises(ConfigError, match="set lora_dropout: 0"):
        moe("mixtral", lora_target_parameters=BOTH, lora_dropout=0.1)
    with pytest.raises(ConfigError, match="not for IA3"):
        moe("mixtral", method="ia3", lora_target_parameters=BOTH)


def test_one_layers_experts_are_that_layers() -> None:
    one = count(moe("gpt_oss", lora_target_parameters="1.mlp.experts.down_proj"))
    every = count(moe("gpt_oss", lora_target_parameters="mlp.experts.down_proj"))
    plain = count(moe("gpt_oss"))
    assert 2 * (one.trainable - plain.trainable) == every.trainable - plain.trainable


def test_the_copies_with_their_update_are_in_the_memory() -> None:
    def copies(**fields: Any) -> int:
        found = estimate(moe("gpt_oss", **fields), "A100 80 GB")
        return found.memory.as_dict()["working copies"]

    stacked = sum(
        each.parameters for each in experts.stacks(meta_model(moe("gpt_oss").model_name_or_path))
    )
    assert copies(lora_target_parameters=BOTH) - copies() >= 2 * stacked
    less = copies(lora_target_parameters=BOTH, activation_checkpointing=True)
    assert less < copies(lora_target_parameters=BOTH)
