"""What PEFT wraps, and what it refuses, in one sentence."""

from __future__ import annotations

import pytest

from studio.calculator.parameters import model_of
from studio.calculator.peft_meta import wrap
from studio.core.errors import ConfigError
from tests.unit.calculator.conftest import SHAPES, TINY, recipe_of

QV = ("q_proj", "v_proj")


def test_tensors_are_named_as_in_the_whole_model():
    recipe = recipe_of(TINY, lora_r=4, lora_target_modules=QV)
    wrapped = wrap(model_of(recipe), recipe)
    assert len(wrapped.trained) == len(wrapped.saved) == 4  # A and B of two modules
    first = wrapped.saved[0]
    assert first.names == tuple(
        f"base_model.model.model.layers.{index}.self_attn.q_proj.lora_A.weight"
        for index in range(3)
    )
    assert (first.shape, first.numbers) == ((4, 64), 3 * 4 * 64)
    assert {part.owner for part in wrapped.trained} == {
        f"model.layers.0.self_attn.{name}" for name in QV
    }


@pytest.mark.parametrize(
    ("fields", "layers"),
    [
        ({}, {0}),
        ({"layers_to_transform": [0, 2]}, {0, 2}),
        ({"rank_pattern": {"layers.1.self_attn.q_proj": 16}}, {0, 1, 2}),
        ({"lora_target_modules": ("model.layers.2.mlp.up_proj",)}, {2}),
        ({"lora_target_modules": r".*\.layers\.[01]\..*(q|v)_proj"}, {0, 1}),
    ],
)
def test_the_whole_model_is_wrapped_where_layers_differ(fields, layers):
    recipe = recipe_of(TINY, lora_r=4, **({"lora_target_modules": QV} | fields))
    wrapped = wrap(model_of(recipe), recipe)
    assert {int(part.owner.split(".")[2]) for part in wrapped.trained} == layers


def test_a_reward_models_score_is_saved_whole():
    recipe = recipe_of(TINY, "prompt_tuning", "reward")
    saved = wrap(model_of(recipe), recipe).saved
    assert [(part.names[0], part.adapter) for part in saved] == [
        ("prompt_embeddings", True),
        ("base_model.score.weight", False),
    ]


@pytest.mark.parametrize(
    ("shape", "method", "fields", "words"),
    [
        (
            "llama",
            "lora",
            {"lora_target_modules": ["qproj"]},
            'called qproj. Did you mean "q_proj"',
        ),
        ("llama", "lora", {"lora_target_modules": ".*foo"}, r"is matched by \.\*foo"),
        ("llama", "lora", {"lora_target_modules": ["layers"]}, "PEFT cannot put LoRA on"),
        ("mixtral", "dora", {}, "PEFT cannot put DoRA on .*ParamWrapper"),
    ],
)
def test_what_peft_refuses(shape, method, fields, words):
    recipe = recipe_of(SHAPES[shape], method, **fields)
    with pytest.raises(ConfigError, match=words):
        wrap(model_of(recipe), recipe)
