"""A model as one GGUF file, tensor by tensor, by the `gguf` package's writer and quantizers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from studio.core import compat
from studio.core.errors import ModelError
from studio.core.library_types import LanguageModel, ModelConfig, Tokenizer
from studio.exports import gguf_architectures, gguf_tokenizer
from studio.exports.gguf_architectures import Family

if TYPE_CHECKING:
    import numpy as np
    from gguf import GGMLQuantizationType, GGUFWriter

_LARGEST_F16 = 65504.0


def write(
    model: LanguageModel,
    tokenizer: Tokenizer,
    path: Path,
    outtype: str,
    name: str,
    finetune: str,
    on_progress: Callable[[str], None],
    more: Callable[[GGUFWriter], None] = lambda writer: None,
) -> Path:
    """Write `model` (unquantized, merged) and its tokenizer; `ModelError` names what cannot be
    written.

    `name` is the base's own: llama.cpp decides by it how Phi-3's special tokens are split, so a
    run's name, which a user chose, is written as `finetune`.

    `on_progress` is called with each tensor's name before it is written, and may raise to stop;
    `more` adds keys of its own.
    """
    import gguf

    config = model.config.get_text_config()
    family = gguf_architectures.family_of(config)
    writer = gguf.GGUFWriter(path, family.arch)
    writer.add_type("model")
    writer.add_name(name)
    writer.add_finetune(finetune)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    share = "ALL" if outtype == "f32" else "MOSTLY"
    writer.add_file_type(gguf.LlamaFileType[f"{share}_{outtype.upper()}"])
    gguf_architectures.describe(writer, config, family)
    more(writer)
    gguf_tokenizer.describe(writer, tokenizer, config.vocab_size)
    tensors = list(_tensors(model, config, family))
    kinds = {name: _kind(name, tensor, outtype) for name, tensor in tensors}
    for name, tensor in tensors:
        _announce(writer, name, tensor, kinds[name])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    try:
        for name, tensor in tensors:
            on_progress(name)
            writer.write_tensor_data(_packed(name, tensor, config, family, kinds[name]))
    finally:
        writer.close()
    return path


def names(model: LanguageModel) -> Callable[[str], str | None]:
    """transformers' name of a tensor -> GGUF's, None where the family has no place for it."""
    import gguf

    config = model.config.get_text_config()
    family = gguf_architectures.family_of(config)
    arch = {name: key for key, name in gguf.MODEL_ARCH_NAMES.items()}[family.arch]
    known = gguf.get_tensor_name_map(arch, config.num_hidden_layers)
    return lambda name: known.get_name(name, try_suffixes=(".weight", ".bias"))


def _tensors(
    model: LanguageModel, config: ModelConfig, family: Family
) -> Iterator[tuple[str, torch.Tensor]]:
    """(GGUF name, tensor) of every weight, as the model holds it."""
    name_of = names(model)
    if gguf_architectures.rope(config)["rope_type"] == "llama3":
        yield "rope_freqs.weight", _rope_factors(config)
    for name, tensor in model.state_dict().items():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        found = name_of(name)
        if found is None:
            raise ModelError(
                f"llama.cpp's {family.arch} has no place for {name}, so this model cannot be "
                "written as GGUF. Export it merged instead."
            )
        yield found, tensor


def wide_type(model: LanguageModel) -> str:
    """The outtype that llama.cpp is to quantize from: bfloat16 as it is, others as float16 where
    that holds their numbers, else float32."""
    if model.dtype is torch.bfloat16:
        return "bf16"
    largest = max(float(tensor.abs().max()) for tensor in model.state_dict().values())
    return "f16" if largest <= _LARGEST_F16 else "f32"


def _rope_factors(config: ModelConfig) -> torch.Tensor:
    """The divisor of each rotary frequency, for Llama 3's scaled contexts."""
    width = gguf_architectures.head_dim(config)
    stretched = compat.llama3_inverse_frequencies(config)
    exponents = torch.arange(0, width, 2, dtype=torch.float32) / width
    return (1.0 / gguf_architectures.rope(config)["rope_theta"] ** exponents) / stretched


def _kind(name: str, tensor: torch.Tensor, outtype: str) -> GGMLQuantizationType:
    """The type to store a tensor in: float32 for vectors, float16 for rows of partial blocks."""
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

    if tensor.ndim < 2:
        return GGMLQuantizationType.F32
    wanted = GGMLQuantizationType[outtype.upper()]
    block, _ = GGML_QUANT_SIZES[wanted]
    return wanted if tensor.shape[-1] % block == 0 else GGMLQuantizationType.F16


def _announce(
    writer: GGUFWriter, name: str, tensor: torch.Tensor, kind: GGMLQuantizationType
) -> None:
    import numpy as np
    from gguf import GGML_QUANT_SIZES

    block, size = GGML_QUANT_SIZES[kind]
    nbytes = tensor.numel() // block * size
    writer.add_tensor_info(name, list(tensor.shape), np.dtype(np.float32), nbytes, raw_dtype=kind)


def _packed(
    name: str, tensor: torch.Tensor, config: ModelConfig, family: Family, kind: GGMLQuantizationType
) -> np.ndarray:
    """A tensor's values in llama.cpp's layout and in their stored type."""
    import numpy as np
    from gguf import GGMLQuantizationType, quantize

    values = tensor.detach().to("cpu", torch.float32).numpy()
    if family.norm_plus_one and "norm.weight" in name:
        values = values + np.float32(1)
    values = as_rotated(name, values, config, family)
    if kind is GGMLQuantizationType.F16 and abs(values).max(initial=0) > _LARGEST_F16:
        raise ModelError(
            f"{name} holds numbers beyond float16's range; choose another outtype, such as bf16."
        )
    if kind is GGMLQuantizationType.F32:
        return np.ascontiguousarray(values, dtype=np.float32)
    return np.ascontiguousarray(quantize(np.ascontiguousarray(values), kind))


def as_rotated(name: str, values: np.ndarray, config: ModelConfig, family: Family) -> np.ndarray:
    """A tensor's rows [outputs, ...] in the order that ggml rotates them in; others unchanged."""
    if not family.rotary_pairs or not (".attn_q." in name or ".attn_k." in name):
        return values
    heads = config.num_attention_heads if ".attn_q." in name else config.num_key_value_heads
    return _interleaved(values, heads)


def _interleaved(values: np.ndarray, heads: int) -> np.ndarray:
    """Rows of each head reordered from two halves to pairs: ggml rotates adjacent rows."""
    halves = values.reshape(heads, 2, values.shape[0] // heads // 2, *values.shape[1:])
    return halves.swapaxes(1, 2).reshape(values.shape)
