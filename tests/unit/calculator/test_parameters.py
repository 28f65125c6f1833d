"""Exact: every figure is PEFT's own, and the published ones."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace

import pytest

from studio.calculator.adapter_settings import METHODS, TARGETED, make_spec
from studio.calculator.configs import read_source
from studio.calculator.meta_model import build, skeleton
from studio.calculator.parameters import count, curve, targets_of
from studio.core.errors import ConfigError, ModelError
from studio.runs.methods import METHODS as TRAINED
from studio.runs.methods import peft_config
from tests.unit.calculator.conftest import SHAPES, TINY

TINYLLAMA = "TinyLlama/TinyLlama-1.1B-Chat-v1.0"
LLAMA_3B = "meta-llama/Llama-3.2-3B-Instruct"
QV = ["q_proj", "v_proj"]


ADAPTERS = [name for name in METHODS if name == "rslora" or TRAINED[name].adapter]
SMALL = {"lora_r": 4, "oft_block_size": 16, "adapter_layers": 2, "encoder_hidden_size": 32}


def pefts_own(config, spec):
    """`get_nb_trainable_parameters()` of the whole model, wrapped the ordinary way."""
    import peft
    import torch

    _, model = build(read_source(config), spec.scored)
    if spec.method == "pissa":  # starts from an SVD of real weights; its shapes are LoRA's
        spec = replace(spec, method="lora")
    with torch.device("meta"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return peft.get_peft_model(model, peft_config(spec)).get_nb_trainable_parameters()


def spec_of(method, **settings):
    if method in TARGETED and method != "ia3":
        settings = {"lora_target_modules": "all-linear"} | settings
    return make_spec(method, **(SMALL | settings))


@pytest.mark.parametrize("shape", SHAPES)
def test_every_method_equals_peft_or_is_refused_with_it(shape):
    refused = set()
    for method in ADAPTERS:
        spec = spec_of(method)
        try:
            found = count(SHAPES[shape], spec)
        except ConfigError:
            refused.add(method)
            with pytest.raises((ValueError, TypeError, NotImplementedError)):
                pefts_own(SHAPES[shape], spec)
            continue
        assert (found.trainable, found.all_parameters) == pefts_own(SHAPES[shape], spec), method
        assert sum(module.trainable for module in found.modules) == found.trainable, method
    assert len(refused) <= 4, refused


@pytest.mark.parametrize("method", [name for name in ADAPTERS if name != "pissa"])
def test_the_figure_of_a_really_wrapped_model(method):
    """Not on the meta device: weights, and PEFT's own answer about them."""
    import peft
    from transformers import AutoModelForCausalLM, LlamaConfig

    spec = spec_of(method)
    values = {key: value for key, value in TINY.items() if key != "model_type"}
    model = AutoModelForCausalLM.from_config(LlamaConfig(**values))
    wrapped = peft.get_peft_model(model, peft_config(spec))
    found = count(TINY, spec)
    assert (found.trainable, found.all_parameters) == wrapped.get_nb_trainable_parameters()


@pytest.mark.parametrize("shape", SHAPES)
def test_a_reward_models_score_takes_the_heads_place(shape):
    """PEFT trains the score whole, beside every adapter; the head's matrix is not counted."""
    plain, bones = skeleton(SHAPES[shape]), skeleton(SHAPES[shape], scored=True)
    score = sum(info.parameters for info in bones.modules if info.name == "score")
    assert score == 64 and bones.total == plain.total - bones.beside + score
    for method in ("lora", "vera", "prompt_tuning"):
        spec = spec_of(method, objective="reward")
        found = count(SHAPES[shape], spec)
        assert (found.trainable, found.all_parameters) == pefts_own(SHAPES[shape], spec), method
    for method in ("full", "last_layers"):
        found = count(SHAPES[shape], make_spec(method, "reward"))
        trained = {info.suffix: info.trainable for info in found.modules}
        assert trained["score"] == score and found.total == bones.total


def test_a_reward_models_file(tmp_path):
    """What PEFT writes for it, to the byte."""
    import peft
    from transformers import AutoModelForSequenceClassification

    for method in ("lora", "prompt_tuning"):
        spec = spec_of(method, objective="reward")
        config, _ = build(read_source(TINY), scored=True)
        model = AutoModelForSequenceClassification.from_config(config)
        peft.get_peft_model(model, peft_config(spec)).save_pretrained(tmp_path / method)
        size = (tmp_path / method / "adapter_model.safetensors").stat().st_size
        assert count(TINY, spec).adapter_bytes(4, 4) == size


@pytest.mark.parametrize("layers", [1, 3])
def test_the_last_layers_are_those_of_the_model(layers):
    from transformers import AutoModelForCausalLM, LlamaConfig

    values = {key: value for key, value in TINY.items() if key != "model_type"}
    model = AutoModelForCausalLM.from_config(LlamaConfig(**values))
    last = model.model.layers[-layers:]
    wanted = sum(weight.numel() for weight in last.parameters())
    found = count(TINY, make_spec("last_layers", num_trainable_layers=layers))
    assert found.trainable == wanted == sum(module.trainable for module in found.modules)
    assert [name for name, _ in found.layers] == [
        f"model.layers.{index}" for index in range(3 - layers, 3)
    ]
    with pytest.raises(ConfigError, match="has 3 layers"):
        count(TINY, make_spec("last_layers", num_trainable_layers=4))


@pytest.mark.parametrize(
    "settings",
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
def test_settings_that_tell_modules_apart(settings):
    spec = make_spec("lora", lora_r=4, **settings)
    found = count(TINY, spec)
    assert (found.trainable, found.all_parameters) == pefts_own(TINY, spec)


def test_full_counts_every_parameter_once():
    tied = count(SHAPES["llama tied"], make_spec("full"))
    loose = count(TINY, make_spec("full"))
    assert loose.trainable - tied.trainable == 300 * 64
    assert sum(module.trainable for module in tied.modules) == tied.trainable == tied.total


def test_the_workshops_model():
    """Its notebook prints 13.91 %: the ratio 0.0013906 times 100 twice over."""
    found = count(
        TINYLLAMA, make_spec(lora_r=8, lora_target_modules=["q_proj", "k_proj", "v_proj"])
    )
    assert found.total == 1_100_048_384
    assert found.trainable == 1_531_904
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
    found = count(LLAMA_3B, make_spec(method, lora_r=r, lora_target_modules=QV))
    assert (found.trainable, found.adapter_bytes()) == (trainable, file_size)


def test_all_published_counts(real_data):
    folder = real_data / "model_configs"
    expected = json.loads((folder / "EXPECTED.json").read_text())
    for name, wanted in expected.items():
        bones = skeleton(folder / name)
        some = count(bones, make_spec(lora_r=8, lora_target_modules=wanted["lora_qv_targets"]))
        every = count(bones, make_spec(lora_r=8, lora_target_modules="all-linear"))
        got = (bones.total, bones.tied, some.trainable, every.trainable)
        assert got == (
            wanted["total_params"],
            wanted["tied"],
            wanted["lora_qv_r8"],
            wanted["lora_all_linear_r8"],
        ), name
        assert {*bones.suffixes(), bones.head} == set(wanted["linear_suffixes"]), name


def test_remote_code_is_named_not_run():
    config = TINY | {"auto_map": {"AutoModelForCausalLM": "modeling_evil.Evil"}}
    found = count(config, make_spec(lora_r=4, lora_target_modules=QV))
    assert found.trainable == count(TINY, make_spec(lora_r=4, lora_target_modules=QV)).trainable
    assert "remote code, which was not run" in found.notes[0]
    with pytest.raises(ModelError, match="does not run code that comes with a model"):
        count(config | {"model_type": "evil"})


@pytest.mark.parametrize("shape", ["llama", "mixtral", "gpt2"])
@pytest.mark.parametrize("method", ["lora", "dora", "adalora", "loha", "lokr", "vera"])
def test_the_curve_is_pefts_at_every_rank(shape, method):
    if (shape, method) in {("mixtral", "dora"), ("gpt2", "loha"), ("gpt2", "lokr")}:
        pytest.skip("PEFT refuses this method here")
    spec = spec_of(method)
    for r, trainable in curve(SHAPES[shape], spec, (3, 16)):
        assert trainable == pefts_own(SHAPES[shape], spec.with_rank(r))[0]


def test_experts_are_chosen_by_the_names_they_had():
    spec = make_spec(lora_r=4, lora_target_modules=["q_proj", "w1", "w2", "w3"])
    found = count(SHAPES["mixtral"], spec)
    assert (found.trainable, found.all_parameters) == pefts_own(SHAPES["mixtral"], spec)
    assert not found.notes
    assert "w1" in targets_of(SHAPES["mixtral"])


def test_a_partly_wrong_list_is_noted():
    found = count(TINY, make_spec(lora_target_modules=["q_proj", "qproj"]))
    assert found.notes == ('qproj matches nothing in pasted config. Did you mean "q_proj"?',)
    found = count(TINY, make_spec(lora_target_modules=QV, rank_pattern={"up_proj": 4}))
    assert "The rank for up_proj changes nothing" in found.notes[0]


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (TINY | {"model_type": "lama"}, 'no architecture .lama.. Did you mean "llama"'),
        ({"hidden_size": 64}, "no model_type"),
        ('{"model_type": "llama", "hidden_size": 6', "ends too early"),
        ('{"model_type": "llama",, }', "not whole JSON"),
        ("", "No model is named"),
        ("no such folder/at all/here", "not a Hub id"),
        (TINY | {"num_hidden_layers": 10**9}, "num_hidden_layers is 1000000000"),
        (TINY | {"hidden_size": "64"}, "hidden_size is '64'"),
        (TINY | {"model_type": "t5"}, "not a causal language model"),
    ],
)
def test_models_that_cannot_be_counted(config, words):
    with pytest.raises(ModelError, match=words):
        count(config)


def test_a_folder_without_a_config(tmp_path):
    with pytest.raises(ModelError, match=r"has no config\.json"):
        count(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(TINY))
    assert count(tmp_path, make_spec("full")).total == count(TINY, make_spec("full")).total


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"lora_r": 0}, "lora_r is 0"),
        ({"lora_r": 2.5}, "lora_r is 2.5"),
        ({"method": "lorra"}, 'method .lorra. is not known. Did you mean "lora"'),
        ({"lora_target_modules": []}, "No target modules"),
        ({"lora_target_modules": ["qproj"]}, 'called qproj. Did you mean "q_proj"'),
        ({"lora_target_modules": ["layers"]}, "PEFT cannot put LoRA on"),
        ({"lora_dropout": 1.0}, "lora_dropout is 1.0"),
        ({"lora_modules_to_save": ["embd_tokens"]}, 'Did you mean "embed_tokens"'),
        ({"rank_pattern": "q_proj"}, "write q_proj=8"),
        ({"lora_target_modules": ".*foo"}, "is matched by"),
        ({"lora_rank": 4}, 'no setting .lora_rank.. Did you mean "lora_r"'),
        ({"lora_alpha": 0}, "lora_alpha is 0"),
    ],
)
def test_settings_that_cannot_be_used(settings, words):
    with pytest.raises(ConfigError, match=words):
        count(TINY, make_spec(**settings))
