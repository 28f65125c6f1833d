"""Shapes small enough that PEFT's own wrapping of the whole model is quick to compare with."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from studio.runs.recipe import Recipe

TINY: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 128,
    "vocab_size": 300,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
GPT2 = {
    "n_embd": 64,
    "n_layer": 3,
    "n_head": 4,
    "vocab_size": 300,
    "n_positions": 64,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
OPT = {"ffn_dim": 128, "word_embed_proj_dim": 64, "pad_token_id": 0}
MOE = {
    "num_experts": 4,
    "moe_intermediate_size": 32,
    "shared_expert_intermediate_size": 64,
    "decoder_sparse_step": 2,
}
SHAPES: dict[str, dict[str, Any]] = {
    "llama": TINY,
    "llama tied": TINY | {"tie_word_embeddings": True},
    "qwen2": TINY | {"model_type": "qwen2"},
    "gpt2": {"model_type": "gpt2"} | GPT2,
    "gpt_neox": TINY | {"model_type": "gpt_neox"},
    "opt": TINY | {"model_type": "opt"} | OPT,
    "bloom": {
        "model_type": "bloom",
        "hidden_size": 64,
        "n_layer": 3,
        "n_head": 4,
        "vocab_size": 300,
        "bos_token_id": 1,
        "eos_token_id": 2,
    },
    "phi3": TINY | {"model_type": "phi3", "pad_token_id": 0},
    "mixtral": TINY | {"model_type": "mixtral", "num_local_experts": 4},
    "qwen2_moe": TINY | {"model_type": "qwen2_moe"} | MOE,
}


TINYLLAMA = "TinyLlama/TinyLlama-1.1B-Chat-v1.0"
LLAMA_3B = "meta-llama/Llama-3.2-3B-Instruct"
MISTRAL = "mistralai/Mistral-7B-Instruct-v0.3"


def recipe_of(
    model: str | Path | dict[str, Any], method: str = "lora", objective: str = "sft", **fields: Any
) -> Recipe:
    """A recipe on a model or on a config's values."""
    text = json.dumps(model) if isinstance(model, dict) else str(model)
    return Recipe.defaults(objective, method, model_name_or_path=text, **fields)


@pytest.fixture
def real_data() -> Path:
    """The folder of real files, or a skip that says so."""
    folder = os.environ.get("STUDIO_REAL_DATA")
    if not folder:
        pytest.skip("STUDIO_REAL_DATA is not set: no real files to compare with")
    return Path(folder)
