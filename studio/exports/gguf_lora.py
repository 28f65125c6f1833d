"""A LoRA adapter as one GGUF file, as llama.cpp's `--lora` and Ollama's ADAPTER take it.

The keys are those of llama.cpp's convert_lora_to_gguf.py; what its loader does with them stands in
llama-adapter.cpp: a tensor's update is alpha / rank * B @ A.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from studio.core.errors import ModelError
from studio.core.library_types import AdaptedModel, LanguageModel, ModelConfig, PeftConfig
from studio.exports import gguf_architectures, gguf_file
from studio.exports.gguf_architectures import Family

if TYPE_CHECKING:
    import numpy as np

_ADAPTER = "default"
_SAME = 1e-5  # of an update's largest number


@dataclass(frozen=True)
class Pair:
    """One layer's update: `a` [rank, inputs] and `b` [outputs, rank] in float32, PEFT's scaling,
    and the layer's names in transformers and in GGUF."""

    path: str
    name: str
    a: torch.Tensor
    b: torch.Tensor
    scaling: float

    @property
    def alpha(self) -> float:
        """What llama.cpp divides by the rank."""
        return self.scaling * self.a.shape[0]


def family_of(folder: Path, model: LanguageModel) -> Family:
    """The family of an adapter's base; `ModelError` for what the file cannot say."""
    from peft import PeftConfig as Config

    family = gguf_architectures.family_of(model.config.get_text_config())
    config: Any = Config.from_pretrained(str(folder))
    reason = _refusal(config)
    if reason:
        raise ModelError(
            f"This adapter cannot be written as a GGUF adapter: {reason}. Export the run as gguf, "
            "which holds the merged model, or the adapter as PEFT saves it."
        )
    return family


def _refusal(config: PeftConfig) -> str:
    kind = getattr(config.peft_type, "value", config.peft_type)
    if kind != "LORA":
        return f"llama.cpp knows LoRA only, and this is {kind}"
    if getattr(config, "use_dora", False):
        return "llama.cpp has no place for DoRA's magnitudes"
    if getattr(config, "modules_to_save", None):
        return "it holds whole modules beside its matrices"
    if getattr(config, "trainable_token_indices", None):
        return "it holds rows of the embedding beside its matrices"
    if getattr(config, "bias", "none") != "none" or getattr(config, "lora_bias", False):
        return "llama.cpp adds no biases of an adapter"
    if getattr(config, "target_parameters", None):
        return "it changes parameters that are no linear layers"
    return ""


def pairs(adapted: AdaptedModel) -> list[Pair]:
    """Every adapted layer of a `PeftModel`; `ModelError` for one that llama.cpp cannot adapt."""
    from peft.tuners.lora import LoraLayer

    whole: Any = adapted
    model: Any = whole.get_base_model()
    tied = model.config.get_text_config().tie_word_embeddings
    name_of = gguf_file.names(model)
    found = []
    for path, module in model.named_modules():
        if not isinstance(module, LoraLayer):
            continue
        name = name_of(f"{path}.weight")
        if _ADAPTER not in module.lora_A or name is None or (name == "output.weight" and tied):
            raise ModelError(
                f"llama.cpp has no place for an adapter of {path}, so this adapter cannot be "
                "written as a GGUF adapter. Export the run as gguf."
            )
        a, b = _side(module.lora_A), _side(module.lora_B)
        scaling = float(module.scaling[_ADAPTER])
        found.append(Pair(path, name, a, b, scaling))
    return found


def _side(matrices: Any) -> torch.Tensor:
    return matrices[_ADAPTER].weight.detach().float().cpu()


def write(
    layers: list[Pair],
    config: ModelConfig,
    family: Family,
    path: Path,
    name: str,
    on_progress: Callable[[str], None],
) -> None:
    """Write the layers in float32, with rows of B as the base's file has its own.

    The file has one alpha: layers of another alpha (`rank_pattern` with `use_rslora`,
    `alpha_pattern`) get the rest in their B.
    """
    import gguf

    alpha = layers[0].alpha
    writer = gguf.GGUFWriter(path, family.arch)
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, alpha)
    writer.add_name(name)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    for layer in layers:
        on_progress(layer.name)
        b = gguf_file.as_rotated(layer.name, layer.b.numpy(), config, family)
        writer.add_tensor(f"{layer.name}.lora_a", _whole(layer.a.numpy()))
        writer.add_tensor(f"{layer.name}.lora_b", _whole(b * (layer.alpha / alpha)))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _whole(values: np.ndarray) -> np.ndarray:
    import numpy as np

    return np.ascontiguousarray(values, dtype=np.float32)


def read(path: Path, layers: list[Pair], config: ModelConfig, family: Family) -> list[Pair]:
    """The file's pairs, with rows of B in transformers' order and llama.cpp's own scaling."""
    import numpy as np
    from gguf import GGUFReader, Keys

    reader = GGUFReader(path)
    alpha = float(reader.fields[Keys.Adapter.LORA_ALPHA].contents())
    tensors = {tensor.name: np.array(tensor.data) for tensor in reader.tensors}
    found = []
    for layer in layers:
        a, b = (tensors[f"{layer.name}.lora_{side}"] for side in "ab")
        order = gguf_file.as_rotated(layer.name, np.arange(b.shape[0]), config, family)
        back = np.empty_like(b)
        back[order] = b
        scaling = alpha / a.shape[0]
        found.append(
            Pair(layer.path, layer.name, torch.from_numpy(a), torch.from_numpy(back), scaling)
        )
    return found


def compare(adapted: AdaptedModel, layers: list[Pair]) -> float:
    """The largest difference between the file's products and PEFT's delta weights, as a share of
    the largest number of each; `ModelError` where they differ."""
    largest = 0.0
    for layer in layers:
        wanted = _module(adapted, layer).get_delta_weight(_ADAPTER).detach().float().cpu()
        update = layer.scaling * (layer.b @ layer.a)
        off = float((wanted - update).abs().max() / wanted.abs().max().clamp(min=1e-30))
        largest = max(largest, off)
        if not off <= _SAME:
            raise ModelError(
                f"The file's update of {layer.path} is off PEFT's by {off:.3g} of its largest "
                f"number, and {_SAME:g} are allowed: it differs from the run, and was deleted."
            )
    return largest


def load(adapted: AdaptedModel, layers: list[Pair]) -> None:
    """Put the file's matrices and scaling in the place of the adapter's own."""
    with torch.no_grad():
        for layer in layers:
            module = _module(adapted, layer)
            module.lora_A[_ADAPTER].weight.copy_(layer.a)
            module.lora_B[_ADAPTER].weight.copy_(layer.b)
            module.scaling[_ADAPTER] = layer.scaling


def _module(adapted: AdaptedModel, layer: Pair) -> Any:
    whole: Any = adapted
    return whole.get_base_model().get_submodule(layer.path)
