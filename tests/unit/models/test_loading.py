"""Where weights are loaded to: straight to the device, and each process's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from studio.core.errors import ModelError
from studio.core.model_names import resolve
from studio.models import loading
from studio.models.pool import ModelPool

POCKET = resolve("pocket")


@pytest.mark.parametrize(
    ("device", "mapped"),
    [("cuda:1", {"": torch.device("cuda:1")}), ("mps", {"": torch.device("mps")}), ("cpu", None)],
)
def test_weights_go_straight_to_the_device(
    device: str, mapped: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without `device_map` transformers fills the host's memory with the whole model first."""
    asked: list[dict[str, Any]] = []

    def load(location: str, **settings: Any) -> torch.nn.Module:
        asked.append(settings)
        return torch.nn.Linear(1, 1)

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", load)
    monkeypatch.setattr(loading, "device", lambda: torch.device(device))
    loading.load_model(POCKET, "float32")
    loading.load_model(POCKET, "float32", on=torch.device("cpu"))
    assert [settings.get("device_map") for settings in asked] == [mapped, None]


def test_an_adapter_is_read_onto_its_models_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PEFT's own choice is the first GPU, whichever one a process was given."""
    import peft.peft_model as peft_model

    config = LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM")
    model = loading.load_model(POCKET, "float32")
    get_peft_model(loading.clone_sharing_weights(model), config).save_pretrained(str(tmp_path))
    read = peft_model.load_peft_weights
    devices: list[object] = []

    def watched(folder: str, device: object = None, **settings: Any) -> Any:
        devices.append(device)
        return read(folder, device=device, **settings)

    monkeypatch.setattr(peft_model, "infer_device", lambda: "cuda")
    monkeypatch.setattr(peft_model, "load_peft_weights", watched)
    adapted = loading.load_adapter(model, tmp_path)
    loading.load_adapter(adapted, tmp_path, "again")
    assert devices == ["cpu", "cpu"]


def _with_tokens(folder: Path, tokens: list[str], rows: int | None = None) -> None:
    """The pocket model with more tokens, and an embedding of as many rows as it is told."""
    from transformers import AutoConfig, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(POCKET.location)
    tokenizer.add_tokens(tokens)
    config = AutoConfig.from_pretrained(POCKET.location)
    config.vocab_size = rows or config.vocab_size
    for each in (tokenizer, config):
        each.save_pretrained(folder)


@pytest.mark.parametrize(
    ("tokens", "grown", "refused"),
    [
        (["<my_tok>"], 0, True),
        (["<my_tok>", "<image_soft_token>"], 0, True),
        (["<my_tok>"], 1, False),
        (["<my_tok>"], 64, False),
        (["<image_soft_token>"], 0, False),
        ([], 0, False),
    ],
)
def test_a_token_beyond_the_embedding_is_refused_before_weights_are_read(
    tmp_path: Path, tokens: list[str], grown: int, refused: bool
) -> None:
    rows = len(loading.load_tokenizer(POCKET))
    _with_tokens(tmp_path, tokens, rows + grown)
    reference = resolve(str(tmp_path))
    tokenizer = loading.load_tokenizer(reference)
    if not refused:
        return loading.check_vocabulary(reference, tokenizer)
    both = f"has {rows + len(tokens):,} tokens and its embedding {rows:,} rows"
    with pytest.raises(ModelError, match=f"{both}, so '<my_tok>' has none"):
        ModelPool().base(str(tmp_path), dtype="float32")
    return None


@pytest.mark.parametrize("target", ["embed_tokens", "lm_head"])
def test_an_adapter_of_one_side_of_a_tied_embedding_merges_as_it_answers(
    tmp_path: Path, target: str
) -> None:
    model = loading.load_model(POCKET, "float32")
    assert model.get_input_embeddings().weight is model.get_output_embeddings().weight
    config = LoraConfig(
        r=2, target_modules=["q_proj", target], task_type="CAUSAL_LM", init_lora_weights=False
    )
    get_peft_model(loading.clone_sharing_weights(model), config).save_pretrained(str(tmp_path))
    ids = torch.tensor([[9, 20, 31, 42]])
    before = model(input_ids=ids).logits
    with torch.no_grad():
        wanted = loading.load_adapter(loading.clone_sharing_weights(model), tmp_path)(
            input_ids=ids
        ).logits
        merged = loading.merged(model, tmp_path)
        assert torch.allclose(merged(input_ids=ids).logits, wanted, atol=1e-4)
        merged.save_pretrained(tmp_path / "merged")
        read = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
        assert torch.allclose(read(input_ids=ids).logits, wanted, atol=1e-4)
        assert not torch.allclose(wanted, before, atol=1e-2)
        assert torch.equal(model(input_ids=ids).logits, before), "the base is as it was"
    assert model.config.tie_word_embeddings and not merged.config.tie_word_embeddings


def test_a_clone_compiles_its_own_decoding_step() -> None:
    """The compiled call of the original would answer without the clone's adapters."""
    model: Any = torch.nn.Linear(2, 2)
    model._compiled_call, model._last_compile_config = model.forward, "default"
    clone = loading.clone_sharing_weights(model)
    assert not hasattr(clone, "_compiled_call") and not hasattr(clone, "_last_compile_config")
    assert model._compiled_call == model.forward
