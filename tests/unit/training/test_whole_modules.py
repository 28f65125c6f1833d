"""Embeddings and norms beside a LoRA: found by class, counted exactly, tied, merged, kept apart."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from transformers import AutoModelForCausalLM, GPT2Config, Qwen3Config

from studio import Studio
from studio.calculator.estimates import estimate
from studio.core.errors import ConfigError
from studio.exports import ExportRequest
from studio.runs.recipe import Recipe
from studio.runs.store import Run
from studio.runs.whole_modules import found
from tests.unit.training.conftest import small

SWITCH = {"train_embeddings_and_norms": True}


@pytest.fixture(scope="module")
def run(studio: Studio) -> Run:
    recipe = small("sft", "facts", name="whole", learning_rate=1e-2, **SWITCH)
    return studio.wait(studio.train(recipe).id)


def test_they_are_found_by_what_they_are() -> None:
    with torch.device("meta"):
        qwen: Any = AutoModelForCausalLM.from_config(
            Qwen3Config(num_hidden_layers=1, hidden_size=64, intermediate_size=64, head_dim=16)
        )
        gpt: Any = AutoModelForCausalLM.from_config(GPT2Config(n_layer=1, n_embd=8, n_head=2))
    norms = ("q_norm", "k_norm", "input_layernorm", "post_attention_layernorm", "norm")
    assert found(qwen) == ("embed_tokens", *norms)
    assert found(gpt) == ("wte", "ln_1", "ln_2", "ln_f")


def test_a_run_trains_them_and_leaves_the_base_alone(studio: Studio, run: Run) -> None:
    assert run.state == "finished", run.error
    assert run.adapter is not None
    with safe_open(run.adapter / "adapter_model.safetensors", "pt") as file:
        whole = [name for name in file.keys() if "lora_" not in name]  # noqa: SIM118
        assert "base_model.model.model.norm.weight" in whole
        embedding = file.get_tensor("base_model.model.model.embed_tokens.weight")
        assert torch.equal(embedding, file.get_tensor("base_model.model.lm_head.weight"))
        sizes = sum(file.get_tensor(name).numel() for name in file.keys())  # noqa: SIM118

    def base(pool: Any) -> Any:
        return pool.base_of(run.recipe, studio.runs).model

    job = studio.worker.submit(base)
    job.wait(60)
    own = job.result().model.embed_tokens.weight
    assert not torch.allclose(own.float(), embedding, atol=1e-4)
    counted = estimate(run.recipe)
    assert counted.trainable_parameters == sizes - embedding.numel()  # the head is the embedding
    assert counted.saved_bytes == pytest.approx(4 * sizes, rel=0.01)
    assert f"in full: {embedding.numel() + 11 * 256:,} parameters" in " ".join(counted.notes)


def test_a_stopped_run_of_a_longer_context_goes_on_as_if_it_had_not(studio: Studio) -> None:
    changes = {**SWITCH, "rope_parameters": {"rope_type": "yarn", "factor": 4}}
    changes |= {"shifted_attention": True, "max_steps": 6, "save_steps": 1, "logging_steps": 1}
    recipe = small("sft", "facts", lr_scheduler_type="constant", **changes)
    whole = studio.wait(studio.train(recipe).id)
    begun = studio.train(recipe)
    while not any(event["kind"] == "checkpoint" for event in begun.events()[0]):
        time.sleep(0.02)
    studio.stop(begun.id)
    stopped = studio.wait(begun.id)
    if stopped.state == "stopped":
        stopped = studio.wait(studio.resume(begun.id).id)
    assert stopped.state == "finished", stopped.error

    def losses(one: Run) -> dict[int, float]:
        return {e["step"]: e["loss"] for e in one.events()[0] if e["kind"] == "log" and "loss" in e}

    assert losses(stopped) == pytest.approx(losses(whole), rel=1e-4)


def test_a_run_that_continues_it_trains_them_on(studio: Studio, run: Run) -> None:
    again = studio.train(small("sft", "facts", start_from=run.id))
    assert again.recipe.train_embeddings_and_norms
    assert studio.wait(again.id).state == "finished"


@pytest.mark.parametrize("to", ["adapter", "merged"])
def test_exports_answer_as_the_run_does(to: str, studio: Studio, run: Run, tmp_path: Path) -> None:
    job = studio.export(ExportRequest(run.id, to, tmp_path / "out"))
    job.wait(120)
    record = job.result()
    assert "lora_r" not in record
    if to == "merged":
        again: Any = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
        assert again.lm_head.weight is again.model.embed_tokens.weight


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"method": "vera"}, "LoRA's, not VeRA's"),
        ({"trainable_token_indices": [3]}, "choose one"),
        ({"objective": "reward"}, "no head to go with the embedding"),
    ],
)
def test_what_does_not_go_with_it_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Recipe.of({**SWITCH, **changes})
