"""A scaled RoPE: its config, a view of its own on shared weights, and what is refused."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    Gemma3TextConfig,
    GPT2Config,
    LlamaConfig,
    PhiConfig,
    Qwen2Config,
)

from studio.core import rope
from studio.core.errors import ConfigError, ModelError
from studio.core.workspace import PRESETS, Workspace
from studio.generation import column_models
from studio.generation.request import Column, Sampling
from studio.models.pool import ModelPool
from studio.models.rope import rescale
from studio.runs.recipe import Recipe
from studio.runs.store import RunStore

SIZES: dict[str, Any] = {
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
}
SHAPES = {
    "llama": LlamaConfig(**SIZES),
    "qwen2": Qwen2Config(**SIZES),
    "phi": PhiConfig(**SIZES),
    "gemma3": Gemma3TextConfig(
        **SIZES, head_dim=8, sliding_window=16,
        layer_types=["sliding_attention", "full_attention"],
    ),
}  # fmt: skip
IDS = torch.arange(200)[None] % 64


def _logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        return model(input_ids=IDS).logits


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", rope.TYPES)
def test_a_model_scaled_in_memory_equals_one_loaded_so(shape: str, kind: str, tmp_path) -> None:
    torch.manual_seed(0)
    model: Any = AutoModelForCausalLM.from_config(copy.deepcopy(SHAPES[shape])).eval()
    plain = _logits(model)
    model.save_pretrained(tmp_path)
    given = rope.checked({"rope_type": kind, "factor": 4})
    rescale(model, given, shape)
    config = AutoConfig.from_pretrained(tmp_path)
    rope.apply(config, given, shape)
    rope.apply(config, given, shape)  # twice is once
    again = AutoModelForCausalLM.from_pretrained(tmp_path, config=config).eval()
    assert torch.equal(_logits(model), _logits(again))
    assert not torch.allclose(_logits(model), plain)
    assert rope.context(model.config) == 256
    model.save_pretrained(tmp_path / "whole")
    saved = AutoModelForCausalLM.from_pretrained(tmp_path / "whole").eval()
    assert torch.equal(_logits(model), _logits(saved))
    said = rope.overrides(config)
    told = AutoModelForCausalLM.from_pretrained(tmp_path, **said).eval()
    assert torch.equal(_logits(model), _logits(told))
    if shape != "gemma3":
        back = rope.from_overrides(said)
        assert {**back, **given} == back


def test_only_the_layers_that_see_everything_are_scaled() -> None:
    config = copy.deepcopy(SHAPES["gemma3"])
    near = dict(config.rope_parameters["sliding_attention"])
    rope.apply(config, rope.checked({"rope_type": "linear", "factor": 8}), "gemma")
    assert config.rope_parameters["sliding_attention"] == near
    assert config.rope_parameters["full_attention"]["factor"] == 8
    rope.apply(config, rope.checked({"rope_type": "linear", "factor": 16}), "gemma")
    assert config.max_position_embeddings == 16 * 64


def test_the_share_of_a_head_that_turns_stays() -> None:
    config = PhiConfig(**SIZES)
    share = config.rope_parameters["partial_rotary_factor"]
    rope.apply(config, rope.checked({"rope_type": "yarn", "factor": 2}), "phi")
    assert config.rope_parameters["partial_rotary_factor"] == share == 0.5


def test_the_base_that_others_share_stays_as_it_is(home) -> None:
    runs, pool = RunStore(Workspace(home)), ModelPool()
    plain = Recipe.defaults()
    longer = plain.with_(rope_parameters="rope_type=yarn, factor=4")
    base = pool.base_of(plain, runs)
    before = _logits(base.model)
    scaled = pool.base_of(longer, runs)
    between = _logits(base.model)
    moved = _logits(scaled.model)
    linear = pool.base_of(longer.with_(rope_parameters="rope_type=linear,factor=2"), runs)
    after = _logits(pool.base_of(plain, runs).model)
    assert torch.equal(before, between)
    assert torch.equal(before, after)
    assert torch.equal(moved, _logits(pool.base_of(longer, runs).model))
    assert not torch.allclose(before, moved)
    assert not torch.allclose(moved, _logits(linear.model))
    assert base.model.config.max_position_embeddings == 512
    assert rope.context(scaled.model.config) == 2048
    assert pool.base_of(longer, runs) is scaled
    assert len(pool.names()) == 1
    kept = {tensor.data_ptr() for tensor in base.model.parameters()}
    assert kept == {tensor.data_ptr() for tensor in scaled.model.parameters()}
    pool.pin(scaled)
    pool.release_idle()
    assert pool.base_of(plain, runs) is base


def test_a_base_is_compared_as_it_is(home) -> None:
    runs, pool = RunStore(Workspace(home)), ModelPool()
    run = runs.create(Recipe.defaults(rope_parameters={"rope_type": "yarn", "factor": 4}))
    columns = (Column("pocket"), Column("pocket", run.id))
    planned, _ = column_models.plans(columns, Sampling(), runs)
    assert planned[0].weights != planned[1].weights
    base = column_models.ready(planned[0], pool, runs)
    assert rope.context(base.resident.model.config) == 512


def test_a_dynamic_rope_beside_the_base_grows_and_shrinks_alone(home) -> None:
    runs, pool = RunStore(Workspace(home)), ModelPool()
    base = pool.base_of(Recipe.defaults(), runs)
    long = torch.arange(700)[None] % 64
    with torch.no_grad():
        before = base.model(input_ids=long).logits
        recipe = Recipe.defaults(rope_parameters={"rope_type": "dynamic", "factor": 2.0})
        moved = pool.base_of(recipe, runs).model(input_ids=long).logits
        assert torch.equal(before, base.model(input_ids=long).logits)
    assert not torch.allclose(before, moved)


def test_a_base_without_rope_is_refused() -> None:
    model = AutoModelForCausalLM.from_config(GPT2Config(n_layer=1, n_embd=8, n_head=2))
    with pytest.raises(ModelError, match="gpt has no rotary position embeddings"):
        rescale(model, {"rope_type": "linear", "factor": 2}, "gpt")
    scaled = AutoConfig.from_pretrained(PRESETS / "pocket")
    rope.apply(scaled, rope.checked({"rope_type": "linear", "factor": 2}), "pocket")
    with pytest.raises(ModelError, match="was trained with a linear RoPE"):
        rope.apply(scaled, rope.checked({"rope_type": "yarn", "factor": 2}), "pocket")
    plain = AutoConfig.from_pretrained(PRESETS / "pocket")
    longer = {"rope_type": "yarn", "factor": 2, "original_max_position_embeddings": 4096}
    with pytest.raises(ModelError, match="pocket reads 512 tokens"):
        rope.apply(plain, rope.checked(longer), "pocket")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("rope_type=longrope, factor=2", "rope_type is one of linear, dynamic, yarn, llama3"),
        ("rope_type=yarn", "give a factor"),
        ("rope_type=yarn, factor=1", "it is above 1"),
        ("rope_type=yarn, factor=nan", "factor is a number above 0"),
        ("rope_type=linear, factor=2, beta_fast=3", "beta_fast is none of a linear RoPE's"),
        ("rope_type=yarn, factor=2, original_max_position_embeddings=1.5", "a whole number"),
        ("rope_type=yarn, factor=2, beta_slow=40", "40 is not below 32"),
        ("rope_type=llama3, factor=2, high_freq_factor=1", "low_freq_factor is below high_freq"),
        ("rope_type=yarn, factor=2, original_max_position_embeddings=-1", "a whole number above 0"),
        ("rope_type=yarn, factor=2000", "at most 1024"),
        ("yarn", "write it as rope_type=yarn, factor=4"),
        ([1], "write it as rope_type=yarn, factor=4"),
    ],
)
def test_a_wrong_scaling_is_refused_in_a_sentence(given: object, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Recipe.of({"rope_parameters": given})


def test_it_survives_the_recipes_yaml() -> None:
    recipe = Recipe.of({"rope_parameters": "rope_type=yarn, factor=4"})
    assert recipe.rope_parameters == {"rope_type": "yarn", "factor": 4}
    assert Recipe.from_yaml(recipe.to_yaml()) == recipe
