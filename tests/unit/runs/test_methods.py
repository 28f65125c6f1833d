"""Methods: PEFT's keyword arguments, and which fields apply."""

from __future__ import annotations

import pytest

from studio.core.errors import ConfigError
from studio.runs import methods
from studio.runs.methods import METHODS
from studio.runs.objectives import OBJECTIVES
from studio.runs.recipe import Recipe


def kwargs(method: str, **changes: object) -> dict:
    return methods.peft_kwargs(Recipe.defaults("sft", method, **changes), steps=100)


def test_lora_and_its_kin_differ_in_what_makes_them():
    assert kwargs("lora", lora_r=4)["r"] == 4
    assert kwargs("dora")["use_dora"] and not kwargs("lora")["use_dora"]
    assert kwargs("pissa", pissa_niter=16)["init_lora_weights"] == "pissa_niter_16"
    assert kwargs("pissa")["init_lora_weights"] == "pissa"


def test_adalora_schedules_its_ranks_over_the_run():
    found = kwargs("adalora", lora_r=8)
    assert (found["init_r"], found["target_r"]) == (8, 4)
    assert (found["tinit"], found["tfinal"], found["total_step"]) == (10, 33, 100)


def test_initial_text_needs_a_tokenizer():
    recipe = Recipe.defaults("sft", "prompt_tuning", prompt_tuning_init_text="Be kind.")
    assert "prompt_tuning_init" not in methods.peft_kwargs(recipe)
    with_text = methods.peft_kwargs(recipe, tokenizer="pocket")
    assert with_text["prompt_tuning_init_text"] == "Be kind."


def test_patterns_and_layers_are_passed_only_where_they_apply():
    given = {"lora_target_modules": "q_proj", "layers_to_transform": [1]}
    assert kwargs("lora", rank_pattern="q_proj=8", **given)["layers_to_transform"] == [1]
    assert "rank_pattern" not in kwargs("vera", rank_pattern="q_proj=8", **given)


def test_a_reward_model_is_a_sequence_classifier():
    assert methods.peft_kwargs(Recipe.defaults("reward"))["task_type"] == "SEQ_CLS"


def test_every_config_exists_in_peft_and_weights_need_none():
    for method in METHODS:
        made = methods.peft_config(Recipe.defaults("sft", method))
        assert (made is None) == (not METHODS[method].adapter)
        assert made is None or type(made).__name__ == METHODS[method].config


def test_a_quantized_base_by_method_or_by_request():
    assert methods.is_quantized(Recipe.defaults("sft", "qlora"))
    assert methods.is_quantized(Recipe.defaults("sft", "lora", load_in_8bit=True))
    assert not methods.is_quantized(Recipe.defaults("sft", "lora"))


def test_fields_apply_by_method():
    assert methods.field_applies("lora_r", "vera")
    assert not methods.field_applies("lora_alpha", "vera")
    assert {"lora_r", "oft_block_size"} <= methods.adapter_fields()


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_head_is_no_target_where_the_loss_reads_its_weight(objective):
    """TRL would refuse it once everything is loaded, or never train the adapter on it."""
    chosen = {"lora_target_modules": ("q_proj", "lm_head")}
    if OBJECTIVES[objective].legacy:
        assert "lm_head" in Recipe.defaults(objective, "lora", **chosen).lora_target_modules
        return
    with pytest.raises(ConfigError, match="lm_head cannot be a target"):
        Recipe.defaults(objective, "lora", **chosen)
