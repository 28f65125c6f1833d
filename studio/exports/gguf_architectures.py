"""A model's shape as GGUF keys, family by family, and the models that GGUF cannot express.

The keys and their meaning are llama.cpp's (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
and its convert_hf_to_gguf.py). What they cannot express is refused here, by name, before
anything is written.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio.core import rope as scaled
from studio.core.errors import ModelError
from studio.core.library_types import ModelConfig

if TYPE_CHECKING:
    from gguf import GGUFWriter

_SCALED = ("linear", "yarn")
"""Types of RoPE by their names in transformers and in GGUF alike."""
_YARN_ONLY = ("attention_factor", "beta_fast", "beta_slow")


@dataclass(frozen=True)
class Family:
    """An architecture of llama.cpp: `check` says why one is refused, `describe` writes keys."""

    arch: str
    check: Callable[[ModelConfig], str]
    describe: Callable[[GGUFWriter, ModelConfig], None]
    norm_plus_one: bool = False
    rotary_pairs: bool = False
    """Whether q and k are stored with each head's two halves interleaved, as ggml rotates them."""
    dropped: Callable[[ModelConfig], bool] = lambda config: False
    """Whether transformers' reader ignores a key that the file holds."""


def family_of(config: ModelConfig) -> Family:
    """The family of a model's config; `ModelError` names one that cannot be written correctly."""
    family = FAMILIES.get(config.model_type)
    if family is None:
        known = ", ".join(FAMILIES)
        raise ModelError(
            f"A {config.model_type} model cannot be written as GGUF here; the families that can "
            f"are {known}. Export it merged instead."
        )
    reason = family.check(config)
    if reason:
        raise ModelError(
            f"This {config.model_type} model cannot be written as GGUF: {reason}. "
            "Export it merged instead."
        )
    return family


def head_dim(config: ModelConfig) -> int:
    """Width of one attention head."""
    return getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads


def rope(config: ModelConfig) -> dict[str, Any]:
    """The rotary embedding's `rope_type` and `rope_theta`; where layers differ, those of the layers
    with full attention."""
    found = dict(getattr(config, "rope_parameters", None) or {})
    found = dict(found.get("full_attention", found))
    found.setdefault("rope_type", "default")
    found.setdefault("rope_theta", getattr(config, "rope_theta", None) or 10000.0)
    return found


def context(config: ModelConfig) -> int:
    """The context length to write: at most the sliding window where llama.cpp would ignore it."""
    window = getattr(config, "sliding_window", None)
    if config.model_type in ("mistral", "phi3") and window:
        return min(scaled.context(config) or window, window)
    return scaled.context(config) or config.max_position_embeddings


def describe(writer: GGUFWriter, config: ModelConfig, family: Family) -> None:
    """Write every key that describes the model's shape."""
    writer.add_context_length(context(config))
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    turned = rope(config)
    writer.add_rope_freq_base(float(turned["rope_theta"]))
    if turned["rope_type"] in _SCALED:
        from gguf import RopeScalingType

        writer.add_rope_scaling_type(RopeScalingType(turned["rope_type"]))
        writer.add_rope_scaling_factor(float(turned["factor"]))
    if turned["rope_type"] == "yarn":
        writer.add_rope_scaling_orig_ctx_len(turned["original_max_position_embeddings"])
    writer.add_vocab_size(config.vocab_size)
    if family.arch in ("qwen3", "gemma2", "gemma3") or head_dim(config) != _even_heads(config):
        writer.add_key_length(head_dim(config))
        writer.add_value_length(head_dim(config))
    family.describe(writer, config)


def _even_heads(config: ModelConfig) -> int:
    return config.hidden_size // config.num_attention_heads


# --- what GGUF cannot express


def _activation(config: ModelConfig, wanted: str) -> str:
    found = getattr(config, "hidden_activation", None) or config.hidden_act
    return "" if found == wanted else f"llama.cpp gives this family {wanted}, and it has {found}"


def _rope_refusal(config: ModelConfig, allowed: tuple[str, ...]) -> str:
    found = rope(config)
    kind = found["rope_type"]
    if kind in _SCALED and any(found.get(key) is not None for key in _YARN_ONLY):
        return "llama.cpp has no keys for its RoPE's attention_factor, beta_fast and beta_slow"
    return "" if kind in allowed else f"its {kind} rotary scaling has no place in the file"


def _llama(config: ModelConfig) -> str:
    if getattr(config, "attention_bias", False) or getattr(config, "mlp_bias", False):
        return "transformers' reader would lose its biases"
    if head_dim(config) % 2:
        return "its heads have an odd width"
    return _rope_refusal(config, ("default", "llama3", *_SCALED)) or _activation(config, "silu")


def _qwen2(config: ModelConfig) -> str:
    if getattr(config, "use_sliding_window", False):
        return "llama.cpp ignores its sliding window"
    if head_dim(config) != _even_heads(config):
        return "llama.cpp's qwen2 has no head width of its own"
    return _rope_refusal(config, ("default", *_SCALED)) or _activation(config, "silu")


def _qwen3(config: ModelConfig) -> str:
    if getattr(config, "use_sliding_window", False):
        return "llama.cpp ignores its sliding window"
    if getattr(config, "attention_bias", False):
        return "llama.cpp's qwen3 has no attention biases"
    return _rope_refusal(config, ("default", *_SCALED)) or _activation(config, "silu")


def _queries(config: ModelConfig, layers_of_largest: int) -> str:
    """llama.cpp scales a Gemma's queries by its heads' width, the largest model's by another."""
    scalar, largest = config.query_pre_attn_scalar, config.num_hidden_layers == layers_of_largest
    if scalar == (_even_heads(config) if largest else head_dim(config)):
        return ""
    return f"llama.cpp scales its queries otherwise (query_pre_attn_scalar {scalar})"


def _gemma2(config: ModelConfig) -> str:
    return (
        _queries(config, 46)
        or _rope_refusal(config, ("default",))
        or _activation(config, "gelu_pytorch_tanh")
    )


def _gemma3(config: ModelConfig) -> str:
    kinds = [
        "full_attention" if layer % 6 == 5 else "sliding_attention"
        for layer in range(config.num_hidden_layers)
    ]
    near = config.rope_parameters["sliding_attention"]
    if config.layer_types != kinds or near != {"rope_type": "default", "rope_theta": 10000.0}:
        return "llama.cpp lets every sixth layer see everything, and rotates the others by 10,000"
    if config.final_logit_softcapping or config.attn_logit_softcapping or config.attention_bias:
        return "llama.cpp's gemma3 has neither caps nor attention biases"
    return (
        _queries(config, 62)
        or _rope_refusal(config, ("default",))
        or _activation(config, "gelu_pytorch_tanh")
    )


def _phi3(config: ModelConfig) -> str:
    return _rope_refusal(config, ("default",)) or _activation(config, "silu")


# --- keys of single families


def _say_llama(writer: GGUFWriter, config: ModelConfig) -> None:
    writer.add_rope_dimension_count(head_dim(config))


def _say_nothing(writer: GGUFWriter, config: ModelConfig) -> None:
    pass


def _say_gemma2(writer: GGUFWriter, config: ModelConfig) -> None:
    writer.add_attn_logit_softcapping(config.attn_logit_softcapping)
    writer.add_final_logit_softcapping(config.final_logit_softcapping)
    writer.add_sliding_window(config.sliding_window)


def _say_gemma3(writer: GGUFWriter, config: ModelConfig) -> None:
    writer.add_sliding_window(config.sliding_window)


def _say_phi3(writer: GGUFWriter, config: ModelConfig) -> None:
    turned = rope(config).get("partial_rotary_factor", 1.0)
    writer.add_rope_dimension_count(int(turned * head_dim(config)))
    writer.add_rope_scaling_orig_ctx_len(config.original_max_position_embeddings)
    writer.add_sliding_window(config.sliding_window or 0)


def _gemma2_unusual(config: ModelConfig) -> bool:
    usual = (config.attn_logit_softcapping, config.final_logit_softcapping) == (50.0, 30.0)
    return not usual or config.query_pre_attn_scalar != 256


_LLAMA = Family(
    "llama",
    _llama,
    _say_llama,
    rotary_pairs=True,
    dropped=lambda config: rope(config)["rope_type"] != "default",
)
FAMILIES = {
    "llama": _LLAMA,
    "mistral": _LLAMA,
    "qwen2": Family(
        "qwen2", _qwen2, _say_nothing, dropped=lambda c: rope(c)["rope_type"] != "default"
    ),
    "qwen3": Family(
        "qwen3", _qwen3, _say_nothing,
        dropped=lambda c: head_dim(c) != 128 or rope(c)["rope_type"] != "default",
    ),
    "gemma2": Family(
        "gemma2", _gemma2, _say_gemma2, norm_plus_one=True, dropped=_gemma2_unusual
    ),
    "gemma3_text": Family(
        "gemma3", _gemma3, _say_gemma3, norm_plus_one=True,
        dropped=lambda c: c.query_pre_attn_scalar != 256,
    ),
    "phi3": Family(
        "phi3", _phi3, _say_phi3,
        dropped=lambda c: bool(c.sliding_window) or rope(c).get("partial_rotary_factor", 1) != 1,
    ),
}  # fmt: skip
"""transformers' `model_type` -> family."""
