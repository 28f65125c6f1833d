"""Shifted attention beside a naive masked one; full where there is one group, and in eval mode."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, Gemma2Config, LlamaConfig, MistralConfig, Qwen3Config

from studio import Studio
from studio.calculator.estimates import estimate
from studio.core.errors import ConfigError, TrainingError
from studio.runs.recipe import Recipe
from studio.training import shifted_attention, trainers
from studio.training.shifted_attention import group_of, use
from tests.unit.training.conftest import small

SIZES: dict[str, Any] = {
    "vocab_size": 64,
    "hidden_size": 48,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 6,
    "num_key_value_heads": 3,
}


class _Module(torch.nn.Module):
    def __init__(self, group: int):
        super().__init__()
        self.shifted_group = group


def _naive(query: Any, key: Any, value: Any, group: int) -> torch.Tensor:
    """Scores of all pairs, masked: causal, and the same group."""
    heads, length = query.shape[1], query.shape[2]
    key, value = (each.repeat_interleave(heads // each.shape[1], 1) for each in (key, value))
    at = torch.arange(length)
    shift = torch.tensor([0] * (heads // 2) + [group // 2] * (heads // 2))
    group_of_head = (at + shift[:, None]) // group
    if length <= group:
        group_of_head = torch.zeros(heads, length)
    seen = (at[:, None] >= at) & (group_of_head[:, :, None] == group_of_head[:, None])
    scores = query @ key.transpose(2, 3) / query.shape[3] ** 0.5
    weights = scores.masked_fill(~seen, float("-inf")).softmax(-1)
    return (weights @ value).transpose(1, 2)


@pytest.mark.parametrize("length", [1, 7, 8, 9, 12, 16, 20, 31, 32])
def test_it_equals_a_naive_masked_one(length: int) -> None:
    torch.manual_seed(length)
    query = torch.randn(2, 6, length, 4)
    key, value = torch.randn(2, 2, 3, length, 4)
    found, _ = shifted_attention.shifted_attention(_Module(8), query, key, value, None)
    assert torch.allclose(found, _naive(query, key, value, 8), atol=1e-6)


def _model(config: Any) -> Any:
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(copy.deepcopy(config))


@pytest.mark.parametrize("config", [LlamaConfig(**SIZES), Qwen3Config(**SIZES, head_dim=8)])
def test_a_model_attends_by_groups_in_training_alone(config: Any) -> None:
    model, plain = _model(config), _model(config)
    use(model, 32, "it")
    ids = torch.arange(32)[None]
    mask = torch.ones_like(ids)
    full = plain.train()(input_ids=ids, attention_mask=mask).logits
    grouped = model.train()(input_ids=ids, attention_mask=mask).logits
    assert not torch.allclose(full, grouped, atol=1e-3)
    # Nothing leaks back: a later token changes no earlier one.
    other = ids.clone()
    other[0, -1] = 0
    assert torch.allclose(model(input_ids=other).logits[:, :-1], grouped[:, :-1], atol=1e-6)
    assert torch.allclose(full, model.eval()(input_ids=ids, attention_mask=mask).logits, atol=1e-6)
    short = plain.train()(input_ids=ids[:, :8]).logits
    assert torch.allclose(short, model.train()(input_ids=ids[:, :8]).logits, atol=1e-6)
    written = model.eval().generate(ids[:, :9], max_new_tokens=4, do_sample=False)
    assert torch.equal(
        written, plain.eval().generate(ids[:, :9], max_new_tokens=4, do_sample=False)
    )


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (MistralConfig(**SIZES, sliding_window=8), "a sliding window of 8 tokens"),
        (Gemma2Config(**SIZES), "some of its layers have sliding attention"),
        (LlamaConfig(**{**SIZES, "num_attention_heads": 3}), "its heads cannot be halved"),
    ],
)
def test_other_attention_is_refused(config: Any, said: str) -> None:
    with pytest.raises(TrainingError, match=said):
        use(_model(config), 32, "it")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"packing": True}, "set packing: false"),
        ({"attn_implementation": "eager"}, "leave attn_implementation out"),
        ({"method": "prefix_tuning"}, "choose lora"),
        ({"objective": "dpo"}, "shifted_attention is for sft"),
    ],
)
def test_what_does_not_go_with_it_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Recipe.of({"shifted_attention": True, **changes})


def test_the_calculator_says_from_which_length_it_saves() -> None:
    llama = Recipe.defaults(
        model_name_or_path="TinyLlama/TinyLlama-1.1B-Chat-v1.0",
        max_length=8192,
        shifted_attention=True,
        rope_parameters="rope_type=linear, factor=4",
    )
    notes = " ".join(estimate(llama, "A100 80 GB").notes)
    assert "the context is 8,192 tokens" in notes
    assert "saves 19.7 % of a step's operations at 8,192 tokens" in notes
    assert "a tenth of them from about 3,500 on" in notes


def test_a_run_trains_with_it_and_leaves_the_base_alone(studio: Studio) -> None:
    recipe = small("sft", "facts", shifted_attention=True, max_length=64)
    run = studio.wait(studio.train(recipe).id)
    assert run.state == "finished", run.error
    job = studio.worker.submit(lambda pool: pool.base_of(recipe, studio.runs).model)
    job.wait(60)
    base: Any = job.result()
    assert base.config._attn_implementation == "sdpa"
    assert not any(hasattr(each, "shifted_group") for each in base.modules())
    assert group_of(64) == 16


def test_activations_are_offloaded_by_trl_and_only_from_a_gpu(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = small("sft", "facts", activation_offloading=True)
    assert trainers.settings(recipe, 10, False)["activation_offloading"] is True
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    run = studio.wait(studio.train(recipe).id)
    assert run.state == "failed" and "there is no GPU here" in str(run.error)
