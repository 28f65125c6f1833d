"""Vision-language bases as text models: what is adapted, and which keys servers know."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from peft import get_peft_model, get_peft_model_state_dict
from transformers import AutoConfig, AutoModelForCausalLM

from studio.runs.methods import peft_config, without_towers
from studio.runs.recipe import Recipe

TEXT = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 4,
    "vocab_size": 64,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 16,
}
VISION = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "depth": 1,
    "num_attention_heads": 2,
    "num_heads": 2,
    "out_hidden_size": 32,
}


def adapted(kind: str, method: str = "lora") -> Any:
    config = AutoConfig.for_model(kind, text_config=dict(TEXT), vision_config=dict(VISION))
    with torch.device("meta"):
        model: Any = AutoModelForCausalLM.from_config(config)
        recipe = Recipe.defaults("sft", method).with_(lora_target_modules="all-linear")
        return get_peft_model(model, without_towers(peft_config(recipe), model))


@pytest.mark.parametrize(
    ("kind", "loaded", "layers"),
    [
        # vLLM 0.33.0 maps `model.language_model.` to its own names in both classes of Gemma.
        ("gemma3", "Gemma3ForConditionalGeneration", "model.language_model.layers."),
        ("gemma4", "Gemma4ForConditionalGeneration", "model.language_model."),
        # The text model alone, whose keys vLLM's Qwen3_5ForConditionalGeneration does not know:
        # serve_commands.withheld says so.
        ("qwen3_5", "Qwen3_5ForCausalLM", "model.layers."),
    ],
)
def test_text_alone_is_adapted(kind: str, loaded: str, layers: str) -> None:
    model = adapted(kind)
    assert type(model.get_base_model()).__name__ == loaded
    keys = get_peft_model_state_dict(model)
    assert keys and all(key.startswith(f"base_model.model.{layers}") for key in keys), next(
        key for key in keys if not key.startswith(f"base_model.model.{layers}")
    )


def test_text_models_and_prompts_keep_their_config() -> None:
    for method in ("lora", "prompt_tuning"):
        config = peft_config(Recipe.defaults("sft", method))
        assert without_towers(config, torch.nn.Sequential(torch.nn.Linear(2, 2))) is config
        assert not getattr(config, "exclude_modules", None)
