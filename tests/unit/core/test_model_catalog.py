"""The catalog of models: every entry read, some counted, the lists made from it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import models
from studio.calculator.configs import read_source, unread_sizes
from studio.calculator.meta_model import build, meta_model
from studio.core import config_limits
from studio.core.model_catalog import catalog, config_of, find, size
from studio.core.model_names import choices, resolve
from studio.runs.methods import METHODS
from studio.runs.objectives import OBJECTIVES


def test_every_entry_says_what_is_chosen_by() -> None:
    found = catalog().values()
    assert 30 <= len(found) <= 60
    families = ("SmolLM2", "SmolLM3", "Qwen2.5", "Qwen3-", "Qwen3.5", "Llama-3", "gemma-3",
                "gemma-4", "phi-4", "Ministral", "granite", "Olmo-3", "LFM2", "gpt-oss",
                "TinyLlama", "Qwen2-0.5B", "Llama-3.2-3B")  # fmt: skip
    assert all(any(word in model.id for model in found) for word in families)
    for model in found:
        assert resolve(model.id).kind == "hub"
        assert model.parameters > 0 and model.context >= 1024 and model.license
        assert bool(model.learning_rates) == bool(model.rates_from)
        for name, rate in model.learning_rates.items():
            objective, method = name.split()
            assert objective in OBJECTIVES and method in METHODS and 1e-7 < rate < 1e-2
        assert bool(model.moe) == any("expert" in key and value for key, value in
                                      model.config.items())  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [
        "TinyLlama/TinyLlama-1.1B-Chat-v1.0",
        "openai-community/gpt2",
        "ibm-granite/granite-4.0-micro",
        "Qwen/Qwen3.5-0.8B",
        "openai/gpt-oss-20b",
    ],
)
def test_an_entry_counts_what_it_says_and_what_is_published(name: str) -> None:
    assert models.wrong(catalog()[name]) == ""


def test_a_wrong_entry_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    model = catalog()["openai-community/gpt2"]
    assert "counts 124,439,808 parameters, and says 5" in models.wrong(replace(model, parameters=5))
    assert "1 are published" in models.wrong(replace(model, published=1))
    assert models.agrees(replace(model, published=0.12e9), 124_439_808)
    assert not models.agrees(replace(model, published=0.13e9), 124_439_808)


def test_any_letter_case_finds_a_copy() -> None:
    found = config_of("tinyllama/tinyllama-1.1b-chat-V1.0")
    assert found and found["hidden_size"] == 2048 and found["max_position_embeddings"] == 2048
    found["hidden_size"] = 1
    again = config_of("TinyLlama/TinyLlama-1.1B-Chat-v1.0")
    assert again and again["hidden_size"] == 2048
    assert config_of("no/such") is None and find("no/such") is None


def test_no_network_is_needed() -> None:
    assert read_source("Qwen/Qwen3-8B").origin == "published shape, shipped with the studio"
    assert meta_model("meta-llama/Llama-3.1-8B-Instruct").total == 8_030_261_248


def test_a_size_that_only_the_models_code_reads_is_no_ignored_one() -> None:
    for name in ("Qwen/Qwen3-30B-A3B-Instruct-2507", "google/gemma-4-26B-A4B-it"):
        source = read_source(name)
        assert unread_sizes(source, build(source)[0]) is None


def test_no_experts_at_all_is_a_number_of_experts_and_a_negative_one_is_none() -> None:
    config_limits.check_sizes({"num_local_experts": 0, "moe_intermediate_size": 0}, "granite")
    for key in ("num_local_experts", "num_hidden_layers"):
        with pytest.raises(Exception, match=f"{key} is -1"):
            config_limits.check_sizes({key: -1}, "granite")
    with pytest.raises(Exception, match="num_hidden_layers is 0"):
        config_limits.check_sizes({"num_hidden_layers": 0}, "granite")


def test_what_is_on_this_machine_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert "my/own" not in [name for _, name in choices()]
    for name in ("my/own", "Qwen/Qwen3-8B", "only/config"):
        folder = tmp_path / f"models--{name.replace('/', '--')}" / "snapshots" / "abc"
        folder.mkdir(parents=True)
        (folder / "config.json").touch()
        if name != "only/config":
            (folder / "model.safetensors").touch()
    names = [name for _, name in choices()]
    assert names.index("pocket") < names.index("Qwen/Qwen3-8B") < names.index("my/own")
    assert names.index("my/own") < names.index("HuggingFaceTB/SmolLM2-135M-Instruct")
    assert "only/config" not in names and names.count("Qwen/Qwen3-8B") == 1


def test_a_line_says_it() -> None:
    assert size(134_515_008) == "135M" and size(1_711_376_384) == "1.71B"
    assert size(999_885_952) == "1B"
    line = catalog()["openai/gpt-oss-20b"].about()
    assert line.startswith("20.9B") and "thinks" in line and "32 experts, 4 used" in line
    assert "gated" in catalog()["meta-llama/Llama-3.2-1B-Instruct"].about()
