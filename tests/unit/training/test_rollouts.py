"""Completions sampled for online RL are those of stock `generate`, with less work."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

from studio import Recipe
from studio.models import matrix_products
from studio.training import rollouts

PAD, END = 0, 7
IDS = torch.tensor([[PAD, 5, 6, 8], [PAD, 5, 6, 8], [9, 3, 2, 4], [9, 3, 2, 4]])
MASK = (IDS != PAD).long()
GRPO = Recipe.defaults("grpo", reward_funcs=("length:1-5",))


def model_of(dropout: float = 0.0) -> Any:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=64,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=2,
        tie_word_embeddings=False,
    )
    base: Any = LlamaForCausalLM(config)
    lora = LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM", lora_dropout=dropout)
    model: Any = get_peft_model(base, lora)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.5)
    return model


@pytest.fixture
def model() -> Iterator[Any]:
    yield model_of()


def config(**settings: Any) -> GenerationConfig:
    given = {"max_new_tokens": 12, "pad_token_id": PAD, "eos_token_id": [END], **settings}
    return GenerationConfig(**given)


def both(model: Any, **settings: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Stock completions and ours, from one seed."""
    asked = {"input_ids": IDS, "attention_mask": MASK, "generation_config": config(**settings)}
    with torch.no_grad():
        torch.manual_seed(3)
        stock = model.generate(**asked)
        torch.manual_seed(3)
        with rollouts.quick(model, GRPO, None):
            ours = model.generate(**asked)
    assert "generate" not in vars(model)
    return stock, ours


# No row ends: where one does, the others are drawn by other random numbers than stock's.
SAMPLED = {"do_sample": True, "top_k": 0, "top_p": 1.0, "temperature": 1.0, "eos_token_id": [64]}


@pytest.mark.parametrize(
    "settings",
    [
        {"do_sample": False},
        {"do_sample": False, "repetition_penalty": 1.3},
        SAMPLED,
        SAMPLED | {"temperature": 0.7, "top_k": 20, "top_p": 0.9, "min_p": 0.02},
    ],
    ids=["greedy", "penalty", "sampled", "warped"],
)
def test_completions_are_those_of_stock(model: Any, settings: dict[str, Any]) -> None:
    stock, ours = both(model, **settings)
    assert torch.equal(stock, ours)


def test_ended_rows_leave_and_the_others_are_the_same(
    model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stock, _ = both(model, do_sample=False, eos_token_id=[63])
    ends = int(stock[0, IDS.shape[1] + 2])  # a token that the first two rows write early
    sizes: list[int] = []
    real = LlamaForCausalLM.forward

    def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
        sizes.append(len(kwargs["input_ids"]))
        return real(self, *args, **kwargs)

    stock, ours = both(model, do_sample=False, eos_token_id=[ends])
    monkeypatch.setattr(LlamaForCausalLM, "forward", counted)
    with rollouts.quick(model, GRPO, None):
        model.generate(
            input_ids=IDS,
            attention_mask=MASK,
            generation_config=config(do_sample=False, eos_token_id=[ends]),
        )
    assert torch.equal(stock, ours)
    assert sizes[0] == 2, "each of two prompts is read once"
    assert sizes[1] == 4 and sizes[-1] < 4, "rows that ended are left out"


def test_dropout_is_left_to_peft() -> None:
    model = model_of(dropout=0.5).train()
    torch.manual_seed(1)
    with rollouts.quick(model, GRPO, None):
        first = model.generate(
            input_ids=IDS, attention_mask=MASK, generation_config=config(do_sample=False)
        )
    assert first.shape[0] == len(IDS)


def test_layers_are_their_own_after_an_error(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> Any:
        raise RuntimeError("full")

    monkeypatch.setattr(rollouts, "sampled", full)
    with pytest.raises(RuntimeError, match="full"), rollouts.quick(model, GRPO, None):
        model.generate(input_ids=IDS, attention_mask=MASK, generation_config=config())
    changed = [name for name, each in model.named_modules() if "forward" in vars(each)]
    assert not changed and "generate" not in vars(model)


def test_a_cache_of_another_kind_goes_the_stock_way(
    model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollouts, "sampled", lambda *_: None)
    stock, ours = both(model, do_sample=False)
    assert torch.equal(stock, ours)


def test_who_samples_here() -> None:
    assert rollouts.fits(GRPO)
    assert not rollouts.fits(GRPO.with_(method="prefix_tuning"))


def test_cases_are_powers_of_two() -> None:
    assert [matrix_products.case(rows) for rows in (1, 2, 3, 4, 5, 8, 9, 64)] == [
        1, 2, 4, 4, 8, 8, 16, 64,
    ]  # fmt: skip
