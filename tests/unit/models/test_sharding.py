"""What each process loads of a model that several divide, by the libraries' own switches."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from studio.core.model_names import resolve
from studio.models import loading, sharding
from studio.models.pool import quantization
from studio.runs.recipe import Recipe

CPU, CARD = torch.device("cpu"), torch.device("cuda", 1)


@pytest.mark.parametrize(
    ("fsdp", "zero3", "rank", "quantized", "on", "expected"),
    [
        (False, False, "0", False, CPU, {}),
        (False, False, "0", False, CARD, {"device_map": {"": CARD}}),
        (False, False, "1", True, CPU, {"device_map": {"": CPU}}),
        (True, False, "0", False, CARD, {}),  # to main memory, which hands out shares
        (True, False, "1", False, CARD, {"device_map": {"": "meta"}}),
        (True, False, "1", True, CARD, {"device_map": {"": CARD}}),
        (False, True, "1", False, CARD, {}),
    ],
)
def test_where_a_process_puts_the_weights(
    fsdp: bool,
    zero3: bool,
    rank: str,
    quantized: bool,
    on: torch.device,
    expected: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sharding, "is_fsdp_enabled", lambda: fsdp)
    monkeypatch.setattr(sharding, "is_deepspeed_zero3_enabled", lambda: zero3)
    monkeypatch.setenv("LOCAL_RANK", rank)
    assert sharding.placement(on, quantized) == expected


def test_all_processes_but_the_first_hold_shapes_with_addresses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Frequencies are computed, not read: they must be there. Tied weights stay one."""
    monkeypatch.setattr(sharding, "is_fsdp_enabled", lambda: True)
    monkeypatch.setattr("transformers.modeling_utils.is_fsdp_enabled", lambda: True)
    monkeypatch.setenv("LOCAL_RANK", "1")
    model: Any = loading.load_model(resolve("pocket"), "bfloat16")
    assert all(tensor.is_meta for tensor in model.parameters())
    whole: Any = AutoModelForCausalLM.from_pretrained(resolve("pocket").location, device_map="cpu")
    frequencies = dict(whole.named_buffers())
    for name, buffer in model.named_buffers():
        assert torch.equal(buffer, frequencies[name])
    sharding.give_addresses(model)
    places = [tensor.data_ptr() for tensor in model.parameters()]
    assert all(places) and len(set(places)) == len(places)
    assert model.lm_head.weight is model.get_input_embeddings().weight
    assert {tensor.dtype for tensor in model.parameters()} == {torch.bfloat16}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_qlora_under_fsdp_stores_what_it_computes_in(
    dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}

    def spy(location: str, **settings: Any) -> Any:
        asked.update(settings)
        raise OSError("enough")

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", spy)
    for name, stored in (("fsdp2", getattr(torch, dtype)), ("multi_gpu", torch.uint8)):
        recipe = Recipe.defaults("sft", "qlora", accelerate_config=name, dtype=dtype)
        with pytest.raises(loading.ModelError):
            loading.load_model(resolve("pocket"), recipe.dtype, quantization(recipe))
        config = asked["quantization_config"]
        assert config.bnb_4bit_quant_storage is stored
        assert config.bnb_4bit_compute_dtype is getattr(torch, dtype)


def test_a_tied_weight_is_gathered_once_under_deepspeed() -> None:
    model: Any = torch.nn.ModuleDict(
        {"embed": torch.nn.Linear(2, 3), "norm": torch.nn.Linear(2, 2)}
    )
    model["head"] = torch.nn.Linear(2, 3)
    model["head"].weight = model["embed"].weight
    trainer: Any = SimpleNamespace(
        is_deepspeed_enabled=True,
        model=model,
        model_wrapped=model,
        accelerator=SimpleNamespace(get_state_dict=lambda wrapped: wrapped.state_dict()),
    )
    found = sharding.gathered(trainer, trained_only=False)
    assert found is not None and set(found) == set(model.state_dict()) - {"head.weight"}
    trainer.accelerator.get_state_dict = lambda wrapped: None  # on every process but the first
    assert sharding.gathered(trainer, trained_only=False) is None
