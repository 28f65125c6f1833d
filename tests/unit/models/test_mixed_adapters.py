"""Rows of several adapters in one batch are what PEFT makes of them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

from studio.models import mixed_adapters

IDS = torch.arange(1, 9).reshape(1, 8).repeat(4, 1)
ADAPTERS = [None, "first", "second", "second"]


def adapted(targets: list[str], **settings: Any) -> Any:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=64,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=2,
        tie_word_embeddings=False,
    )
    model: Any = LlamaForCausalLM(config)
    lora = LoraConfig(r=4, target_modules=targets, task_type="CAUSAL_LM", **settings)
    model = get_peft_model(model, lora, adapter_name="first")
    model.add_adapter("second", LoraConfig(r=2, target_modules=["v_proj"], task_type="CAUSAL_LM"))
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter, std=0.5)
    return model.eval()


def answers(generate: Any, **more: Any) -> Any:
    with torch.inference_mode():
        return generate(
            input_ids=IDS,
            attention_mask=torch.ones_like(IDS),
            max_new_tokens=6,
            do_sample=False,
            pad_token_id=0,
            output_scores=True,
            return_dict_in_generate=True,
            **more,
        ).scores


@pytest.mark.parametrize(
    ("targets", "settings"),
    [
        (["q_proj", "v_proj", "down_proj"], {}),
        (["v_proj", "embed_tokens"], {}),
        (["v_proj"], {"lora_bias": True}),
    ],
    ids=["plain", "embedding", "bias"],
)
def test_each_row_is_its_adapters(targets: list[str], settings: dict[str, Any]) -> None:
    model = adapted(targets, **settings)
    own = [each or mixed_adapters.BASE for each in ADAPTERS]
    known = answers(model.generate, adapter_names=own)
    with mixed_adapters.generate_with(model, ADAPTERS) as generate:
        found = answers(generate)
    for ours, theirs in zip(found, known, strict=True):
        torch.testing.assert_close(ours, theirs)
    assert (known[0][0] - known[0][1]).abs().max() > 0.01  # the adapters do something


def test_the_layers_are_their_own_again_after_an_error() -> None:
    model = adapted(["v_proj"])
    with pytest.raises(RuntimeError, match="full"), mixed_adapters.generate_with(model, ADAPTERS):
        raise RuntimeError("full")
    assert not [module for module in model.modules() if "forward" in vars(module)]
