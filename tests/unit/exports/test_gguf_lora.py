"""An adapter as a GGUF file: llama.cpp's alpha and rows, and what such a file cannot say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model

from studio import Studio
from studio.core.errors import ModelError
from studio.exports import gguf_architectures, gguf_lora, serve_commands
from studio.runs.store import Run
from tests.unit.exports.conftest import exported
from tests.unit.exports.shapes import _SHARED, SHAPES

ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def adapted(name: str = "Llama", **settings: Any) -> Any:
    """A random model with a random adapter."""
    config_class, model_class, differs, _ = SHAPES[name]
    torch.manual_seed(3)
    model = model_class(config_class(**_SHARED | differs | {"vocab_size": 64}))
    usual = {"r": 4, "lora_alpha": 6, "target_modules": ALL}
    peft = get_peft_model(model, LoraConfig(**usual | settings))
    for key, tensor in peft.named_parameters():
        if "lora_B" in key:
            torch.nn.init.normal_(tensor, std=0.02)
    return peft


def written(peft: Any, path: Path) -> tuple[list[gguf_lora.Pair], list[gguf_lora.Pair], Any]:
    """What was written, what is read back, and the reader."""
    from gguf import GGUFReader

    config = peft.get_base_model().config
    family = gguf_architectures.family_of(config)
    layers = gguf_lora.pairs(peft)
    gguf_lora.write(layers, config, family, path, "mine", lambda name: None)
    return layers, gguf_lora.read(path, layers, config, family), GGUFReader(path)


@pytest.mark.parametrize("name", ["Llama", "Qwen3"])
@pytest.mark.parametrize(
    ("settings", "alpha"),
    [
        ({}, 6.0),
        ({"use_rslora": True}, 12.0),
        ({"rank_pattern": {"v_proj": 8}}, 6.0),
        ({"alpha_pattern": {"down_proj": 9}}, 6.0),
        ({"rank_pattern": {"v_proj": 9}, "use_rslora": True}, 12.0),
    ],
    ids=["usual", "rslora", "ranks", "alphas", "ranks with rslora"],
)
def test_llama_cpps_alpha_and_rank_are_pefts_scaling(
    tmp_path: Path, name: str, settings: dict[str, Any], alpha: float
) -> None:
    peft = adapted(name, **settings)
    layers, again, reader = written(peft, tmp_path / "a.gguf")
    told = {key: field.contents() for key, field in reader.fields.items()}
    assert told["general.type"] == "adapter" and told["adapter.type"] == "lora"
    assert told["adapter.lora.alpha"] == pytest.approx(alpha)
    shapes = {tensor.name: tuple(tensor.data.shape) for tensor in reader.tensors}
    assert shapes["blk.1.attn_q.weight.lora_a"][1] == 64
    assert len(shapes) == 2 * len(layers) == 2 * 2 * len(ALL)
    assert gguf_lora.compare(peft, again) < 1e-6


def test_rows_of_q_and_k_are_ordered_as_the_bases_file_has_them(tmp_path: Path) -> None:
    layers, _, reader = written(adapted("Llama"), tmp_path / "a.gguf")
    stored = {tensor.name: torch.tensor(tensor.data) for tensor in reader.tensors}
    for layer in layers:
        same = torch.equal(stored[f"{layer.name}.lora_b"], layer.b)
        assert same != (".attn_q." in layer.name or ".attn_k." in layer.name), layer.name


def test_a_wrong_order_is_caught(tmp_path: Path) -> None:
    peft = adapted("Llama")
    _, again, _ = written(peft, tmp_path / "a.gguf")
    wrong = [gguf_lora.Pair(p.path, p.name, p.a, p.b.flip(0), p.scaling) for p in again]
    with pytest.raises(ModelError, match="differs from the run"):
        gguf_lora.compare(peft, wrong)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"use_dora": True}, "DoRA"),
        ({"modules_to_save": ["lm_head"]}, "whole modules"),
        ({"bias": "all"}, "biases"),
        ({"trainable_token_indices": [1]}, "rows of the embedding"),
    ],
)
def test_what_the_file_cannot_say_is_refused(
    tmp_path: Path, settings: dict[str, Any], said: str
) -> None:
    peft = adapted(**settings)
    peft.peft_config["default"].save_pretrained(str(tmp_path))
    with pytest.raises(ModelError, match=said):
        gguf_lora.family_of(tmp_path, peft.get_base_model())


@pytest.mark.parametrize(("name", "module"), [("Llama", "embed_tokens"), ("Qwen2", "lm_head")])
def test_an_adapted_embedding_or_tied_head_is_refused(name: str, module: str) -> None:
    with pytest.raises(ModelError, match="no place for an adapter of"):
        gguf_lora.pairs(adapted(name, target_modules=[module]))


@pytest.mark.slow
def test_a_runs_adapter_leaves_as_gguf(studio: Studio, sft: Run, tmp_path: Path) -> None:
    record = exported(studio, sft, "gguf-lora", tmp_path / "out")
    assert record["figures"]["agreement"] == 1
    assert record["largest_update_difference"] < 1e-5
    modelfile = (tmp_path / "out" / "Modelfile").read_text()
    assert "FROM ./BASE.gguf\nADAPTER ./adapter.gguf" in modelfile
    served = dict(serve_commands.commands(record, str(tmp_path / "out")))
    assert served["llama.cpp"].startswith("llama-server -m BASE.gguf --lora ")
    assert "lora_path='./adapter.gguf'" in (tmp_path / "out" / "README.md").read_text()
    assert "error" not in record.get("llama_cpp", {})
