"""Bytes per token that autograd keeps, against hand arithmetic and in proportion."""

from __future__ import annotations

import pytest

from studio.calculator.activations import activations, depth
from studio.calculator.gpus import GPUS
from studio.calculator.workload import workload
from tests.unit.calculator.conftest import TINY, recipe_of


def kept(method="lora", **fields):
    return activations(workload(recipe_of(TINY, method, **fields), GPUS["L4 24 GB"]))


def test_a_layer_by_hand():
    """Float32, one trained module per layer: RMSNorm copies, q, k, v, o, the gate, q's input."""
    found = kept(dtype="float32", lora_target_modules=["q_proj"])
    norms, attention, gate, adapter = 2 * 64 * 4, 4 * (4 * 64) + 4 * 4, 3 * 4 * 128, 64 * 4
    assert found.layer == norms + attention + gate + adapter
    assert (found.saved, found.layers) == (3 * found.layer, 3)
    assert found.inputs == 3 * 64 * 4


def test_more_trained_inputs_and_dropout_keep_more():
    one = kept(lora_target_modules=["q_proj"])
    assert kept().layer > one.layer
    assert kept(lora_target_modules=["q_proj"], lora_dropout=0.1).layer > one.layer
    assert kept("dora", lora_target_modules=["q_proj"]).layer > one.layer


def test_eager_attention_grows_with_the_length():
    def layer(length, kernel):
        return kept(max_length=length, attn_implementation=kernel).layer

    pairs = 4 * (4096 - 512) * (4 + 2)  # heads x tokens x (float32 and 16-bit probabilities)
    assert layer(4096, "eager") - layer(512, "eager") == pairs
    assert layer(4096, "sdpa") == layer(512, "sdpa")
    assert layer(512, "flash_attention_2") < layer(512, "sdpa")


@pytest.mark.parametrize(
    ("method", "fields", "share"),
    [
        ("last_layers", {"num_trainable_layers": 1}, 1 / 3),
        ("lora", {"layers_to_transform": [1], "lora_target_modules": ["q_proj"]}, 2 / 3),
        ("lora", {}, 1),
        ("prompt_tuning", {}, 1),
        ("full", {}, 1),
    ],
)
def test_gradients_reach_down_to_the_lowest_layer_that_trains(method, fields, share):
    work = workload(recipe_of(TINY, method, **fields), GPUS["L4 24 GB"])
    assert depth(work.model, work.counted) == pytest.approx(share)
