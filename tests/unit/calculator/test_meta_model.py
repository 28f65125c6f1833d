"""The reduced model stands for the whole one, layer by layer."""

from __future__ import annotations

import json

import pytest

from studio.calculator.configs import read_source
from studio.calculator.meta_model import build, meta_model
from studio.core.errors import ConfigError, ModelError
from tests.unit.calculator.conftest import SHAPES, TINY


@pytest.mark.parametrize("shape", SHAPES)
def test_kept_modules_stand_for_every_module(shape):
    text = json.dumps(SHAPES[shape])
    found = meta_model(text)
    _, whole = build(read_source(text))
    names = [name for path, _ in found.module.named_parameters() for name in found.full_names(path)]
    assert sorted(names) == sorted(name for name, _ in whole.named_parameters())
    assert found.total == sum(weight.numel() for weight in whole.parameters())
    assert sum(info.parameters for info in found.modules) == found.total


def test_one_layer_of_each_kind_is_kept():
    found = meta_model(json.dumps(SHAPES["qwen2_moe"]))  # every second layer is sparse
    assert [block.indices for block in found.blocks] == [("0", "2"), ("1",)]
    assert found.layers() == [f"model.layers.{index}" for index in range(3)]
    assert len(list(found.module.get_submodule("model.layers").children())) == 2


def test_a_reward_models_score_takes_the_heads_place():
    text = json.dumps(TINY)
    plain, scored = meta_model(text), meta_model(text, "score")
    assert (plain.head, scored.head) == ("lm_head", "score")
    assert scored.beside == 300 * 64
    assert scored.total == plain.total - scored.beside + 64


def test_targets_are_the_models_own_names():
    assert meta_model(json.dumps(SHAPES["gpt2"])).targets() == ("c_attn", "c_proj", "c_fc")
    assert {"w1", "w2", "w3", "q_proj"} <= set(meta_model(json.dumps(SHAPES["mixtral"])).targets())


def test_the_last_layers():
    found = meta_model(json.dumps(TINY))
    assert found.last_layers(2) == ("model.layers.1.", "model.layers.2.")
    with pytest.raises(ConfigError, match=r"num_trainable_layers is 4, and .* has 3 layers"):
        found.last_layers(4)


def test_it_is_built_once_for_a_config():
    assert meta_model(json.dumps(TINY)) is meta_model(json.dumps(TINY))


def test_a_shape_that_cannot_be_built():
    with pytest.raises(ModelError, match=r"Check its sizes|not a valid llama"):
        meta_model(json.dumps(TINY | {"num_attention_heads": 7, "head_dim": None}))


def test_all_published_totals(real_data):
    folder = real_data / "model_configs"
    for name, wanted in json.loads((folder / "EXPECTED.json").read_text()).items():
        found = meta_model(str(folder / name))
        assert (found.total, found.tied) == (wanted["total_params"], wanted["tied"]), name
        linear = {info.suffix for info in found.linears()}
        assert {*linear, found.head} == set(wanted["linear_suffixes"]), name
