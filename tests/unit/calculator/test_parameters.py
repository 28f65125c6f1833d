"""Exact: every count is PEFT's own, and the published ones."""

from __future__ import annotations

import json
import warnings

import pytest

from studio.calculator.configs import read_source
from studio.calculator.meta_model import build
from studio.calculator.parameters import count, curve, model_of
from studio.core.errors import ConfigError
from studio.runs.methods import METHODS, field_applies, peft_config
from tests.unit.calculator.conftest import LLAMA_3B, SHAPES, TINY, TINYLLAMA, recipe_of

QV = ["q_proj", "v_proj"]
ADAPTERS = [name for name, method in METHODS.items() if method.adapter]
SMALL = {"lora_r": 4, "oft_block_size": 16, "adapter_layers": 2, "encoder_hidden_size": 32}


def small(shape, method, objective="sft", **fields):
    own = {name: value for name, value in SMALL.items() if field_applies(name, method)}
    return recipe_of(SHAPES[shape], method, objective, **own, **fields)


def pefts_own(recipe):
    """`get_nb_trainable_parameters()` of the whole model, wrapped the ordinary way."""
    import peft
    import torch

    kind = "score" if recipe.objective == "reward" else "causal"
    _, model = build(read_source(recipe.model_name_or_path), kind)
    if recipe.method == "pissa":  # starts from an SVD of real weights; its shapes are LoRA's
        recipe = recipe.with_(method="lora")
    with torch.device("meta"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return peft.get_peft_model(model, peft_config(recipe)).get_nb_trainable_parameters()


@pytest.mark.parametrize("shape", SHAPES)
def test_every_method_equals_peft_or_is_refused_with_it(shape):
    refused = set()
    for method in ADAPTERS:
        recipe = small(shape, method)
        try:
            found = count(recipe)
        except ConfigError:
            refused.add(method)
            with pytest.raises((ValueError, TypeError, NotImplementedError)):
                pefts_own(recipe)
            continue
        assert (found.trainable, found.all_parameters) == pefts_own(recipe), method
    assert len(refused) <= 4, refused


@pytest.mark.parametrize("method", [name for name in ADAPTERS if name != "pissa"])
def test_the_count_and_file_of_a_really_wrapped_model(method, tmp_path):
    """Not on the meta device: weights, PEFT's own answer about them, and the file it writes."""
    import peft
    from transformers import AutoModelForCausalLM, LlamaConfig

    recipe = small("llama", method)
    values = {key: value for key, value in TINY.items() if key != "model_type"}
    model = AutoModelForCausalLM.from_config(LlamaConfig(**values))
    wrapped = peft.get_peft_model(model, peft_config(recipe))
    found = count(recipe)
    assert (found.trainable, found.all_parameters) == wrapped.get_nb_trainable_parameters()
    if method != "vera":  # its shared random matrices are saved, and count as frozen buffers
        wrapped.save_pretrained(tmp_path)
        size = (tmp_path / "adapter_model.safetensors").stat().st_size
        assert found.saved_bytes(4, 4) == size


@pytest.mark.parametrize("shape", SHAPES)
def test_a_reward_model_trains_its_score_whole(shape):
    for method in ("lora", "vera", "prompt_tuning"):
        recipe = small(shape, method, "reward")
        found = count(recipe)
        assert (found.trainable, found.all_parameters) == pefts_own(recipe), method
    for method in ("full", "last_layers"):
        found = count(small(shape, method, "reward"))
        trained = {module.suffix: module.trainable for module in found.modules}
        assert trained["score"] == 64


@pytest.mark.parametrize("method", ["lora", "prompt_tuning"])
def test_a_reward_models_file_to_the_byte(method, tmp_path):
    import peft
    from transformers import AutoModelForSequenceClassification

    recipe = small("llama", method, "reward")
    config, _ = build(read_source(recipe.model_name_or_path), "score")
    model = AutoModelForSequenceClassification.from_config(config)
    peft.get_peft_model(model, peft_config(recipe)).save_pretrained(tmp_path)
    size = (tmp_path / "adapter_model.safetensors").stat().st_size
    assert count(recipe).saved_bytes(4, 4) == size


@pytest.mark.parametrize("layers", [1, 3])
def test_the_last_layers_are_those_of_the_model(layers):
    from transformers import AutoModelForCausalLM, LlamaConfig

    values = {key: value for key, value in TINY.items() if key != "model_type"}
    model = AutoModelForCausalLM.from_config(LlamaConfig(**values))
    last = model.model.layers[-layers:]
    found = count(recipe_of(TINY, "last_layers", num_trainable_layers=layers))
    assert found.trainable == sum(weight.numel() for weight in last.parameters())
    assert [name for name, _ in found.layers] == [
        f"model.layers.{index}" for index in range(3 - layers, 3)
    ]


@pytest.mark.parametrize(
    "fields",
    [
        {"lora_target_modules": QV, "rank_pattern": {"q_proj": 16}},
        {"lora_target_modules": QV, "rank_pattern": {"layers.1.self_attn.q_proj": 16}},
        {"lora_target_modules": QV, "layers_to_transform": [0, 2]},
        {"lora_target_modules": QV, "lora_modules_to_save": ["lm_head"]},
        {"lora_target_modules": QV, "lora_modules_to_save": ["embed_tokens", "lm_head"]},
        {"lora_target_modules": r".*\.layers\.[01]\..*(q|v)_proj"},
        {"lora_target_modules": ["model.layers.2.mlp.up_proj", "q_proj"]},
        {"lora_target_modules": ["embed_tokens", "q_proj"]},
        {"lora_target_modules": QV, "rank_pattern": "q_proj=2, layers.0.self_attn.v_proj=32"},
    ],
)
def test_settings_that_tell_modules_apart(fields):
    recipe = recipe_of(TINY, lora_r=4, **fields)
    found = count(recipe)
    assert (found.trainable, found.all_parameters) == pefts_own(recipe)


def test_full_counts_every_parameter_once():
    tied, loose = count(recipe_of(SHAPES["llama tied"], "full")), count(recipe_of(TINY, "full"))
    assert loose.trainable - tied.trainable == 300 * 64
    assert tied.trainable == tied.total == model_of(recipe_of(SHAPES["llama tied"])).total


def test_the_workshops_model():
    """Its notebook prints 13.91 %: the ratio 0.0013906 times 100 twice over."""
    targets = ["q_proj", "k_proj", "v_proj"]
    found = count(recipe_of(TINYLLAMA, lora_r=8, lora_target_modules=targets))
    assert (found.total, found.trainable) == (1_100_048_384, 1_531_904)
    assert f"{found.percent:.4f}" == "0.1391"
    assert [module.count for module in found.modules] == [22, 22, 22]
    assert len(found.layers) == 22
    assert {trainable for _, trainable in found.layers} == {1_531_904 // 22}


@pytest.mark.parametrize(
    ("method", "r", "trainable", "file_size"),
    [
        ("lora", 32, 9_175_040, 36_715_216),
        ("lora", 64, 18_350_080, 73_415_408),
        ("dora", 32, 9_289_728, 37_181_760),
    ],
)
def test_adapter_file_to_the_byte(method, r, trainable, file_size):
    """PEFT's published runs on Llama-3.2-3B name the parameters and the file's size."""
    found = count(recipe_of(LLAMA_3B, method, lora_r=r, lora_target_modules=QV))
    assert (found.trainable, found.saved_bytes()) == (trainable, file_size)


def test_all_published_counts(real_data):
    folder = real_data / "model_configs"
    for name, wanted in json.loads((folder / "EXPECTED.json").read_text()).items():
        some = recipe_of(folder / name, lora_r=8, lora_target_modules=wanted["lora_qv_targets"])
        every = recipe_of(folder / name, lora_r=8)
        assert (count(some).trainable, count(every).trainable) == (
            wanted["lora_qv_r8"],
            wanted["lora_all_linear_r8"],
        ), name


@pytest.mark.parametrize("shape", ["llama", "mixtral", "gpt2"])
@pytest.mark.parametrize("method", ["lora", "dora", "adalora", "loha", "lokr", "vera"])
def test_the_curve_is_pefts_at_every_rank(shape, method):
    if (shape, method) in {("mixtral", "dora"), ("gpt2", "loha"), ("gpt2", "lokr")}:
        pytest.skip("PEFT refuses this method here")
    recipe = small(shape, method)
    for r, trainable in curve(recipe, (3, 16)):
        assert trainable == pefts_own(recipe.with_(lora_r=r))[0]


def test_experts_are_chosen_by_the_names_they_had():
    targets = ["q_proj", "w1", "w2", "w3"]
    recipe = recipe_of(SHAPES["mixtral"], lora_r=4, lora_target_modules=targets)
    found = count(recipe)
    assert (found.trainable, found.all_parameters) == pefts_own(recipe)
    assert not found.notes


def test_names_that_match_nothing_are_noted():
    found = count(recipe_of(TINY, lora_target_modules=["q_proj", "qproj"]))
    assert found.notes == ('qproj matches nothing in pasted config. Did you mean "q_proj"?',)
    found = count(recipe_of(TINY, lora_target_modules=QV, rank_pattern={"up_proj": 4}))
    assert "The rank for up_proj changes nothing" in found.notes[0]
    with pytest.raises(ConfigError, match='Did you mean "embed_tokens"'):
        count(recipe_of(TINY, lora_modules_to_save=["embd_tokens"]))


def test_what_changes_no_shape_is_counted_once():
    recipe = recipe_of(TINY, lora_r=4)
    assert count(recipe) is count(recipe.with_(lora_alpha=1, learning_rate=1e-5, use_rslora=True))
    assert count(recipe) is not count(recipe.with_(lora_r=5))
