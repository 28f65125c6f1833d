"""LongLoRA's shifted sparse attention while training (Chen et al. 2023, arXiv:2309.12307).

Half of the heads look within groups of consecutive tokens, the other half within groups shifted by
half a group, so that what one group knows reaches the next. Where the paper's code lets the first
half group and the last one share a group, here they are two: a token never sees one after it. In
eval mode, so for held-out losses and answers, attention is full.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import repeat_kv, sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

from studio.core import compat
from studio.core.errors import TrainingError
from studio.core.library_types import LanguageModel

NAME = "shifted_sparse"
"""Its name in transformers' `AttentionInterface` and `AttentionMaskInterface`."""
_GROUP = "shifted_group"
_ELSEWHERE = ("attn_logit_softcapping", "attention_chunk_size", "index_topk")
"""What a config says of attention that looks at tokens in another way."""


def shifted_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Attention of (batch, heads, length, width) by groups in training, in full otherwise.

    In training rows are padded at their ends, where no token looks, so there is no mask.
    """
    if not module.training:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **kwargs
        )
    group: int = getattr(module, _GROUP)
    key, value = (repeat_kv(each, query.shape[1] // each.shape[1]) for each in (key, value))
    half = query.shape[1] // 2
    straight = [each[:, :half] for each in (query, key, value)]
    shifted = [each[:, half:] for each in (query, key, value)]
    sides = [
        _in_groups(straight, group, 0, dropout, scaling),
        _in_groups(shifted, group, group // 2, dropout, scaling),
    ]
    return torch.cat(sides, dim=1).transpose(1, 2).contiguous(), None


def _in_groups(
    heads: list[Tensor], group: int, first: int, dropout: float, scaling: float | None
) -> Tensor:
    """Causal attention within groups; the first has `first` tokens, unless that is 0."""
    length = heads[0].shape[2]
    if length <= group:  # one group
        return _causal(heads, dropout, scaling)
    whole = (length - first) // group
    end = first + whole * group
    parts: list[Tensor] = []
    if first:
        parts.append(_causal([each[:, :, :first] for each in heads], dropout, scaling))
    if whole:
        rows, count = heads[0].shape[:2]
        folded = [each[:, :, first:end].unflatten(2, (whole, group)) for each in heads]
        folded = [each.transpose(1, 2).flatten(0, 1) for each in folded]
        found = _causal(folded, dropout, scaling).unflatten(0, (rows, whole))
        parts.append(found.transpose(1, 2).reshape(rows, count, end - first, -1))
    if end < length:
        parts.append(_causal([each[:, :, end:] for each in heads], dropout, scaling))
    return torch.cat(parts, dim=2)


def _causal(heads: list[Tensor], dropout: float, scaling: float | None) -> Tensor:
    query, key, value = heads
    return scaled_dot_product_attention(
        query, key, value, dropout_p=dropout, scale=scaling, is_causal=True
    )


def group_of(max_length: int) -> int:
    """Tokens of a group: a quarter of the length, an even number."""
    return max(2, max_length // 8 * 2)


def use(model: LanguageModel, max_length: int, name: str) -> None:
    """Let a model that a run trains attend by groups of a quarter of `max_length`.

    Shorter rows than a group attend in full.

    Raises:
        TrainingError: attention that it does not fit, such as a sliding window.
    """
    given: Any = model
    places = [each for each in given.modules() if type(each).__name__.endswith("Attention")]
    if why := refusal(given.config) or ("" if places else "its attention is not transformers' own"):
        raise TrainingError(
            f"shifted_attention does not fit {name}: {why}. Set shifted_attention: false."
        )
    AttentionInterface.register(NAME, shifted_attention)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    for module in places:
        setattr(module, _GROUP, group_of(max_length))
    given.set_attn_implementation(NAME)
    if compat.attention_kernel(given.config.get_text_config()) != NAME:
        raise TrainingError(
            f"shifted_attention does not fit {name}: its attention cannot be replaced. "
            "Set shifted_attention: false."
        )


def refusal(config: Any) -> str:
    """Why a model cannot attend so, without a period; empty where it can."""
    text = config.get_text_config()
    kinds = cast(list[str], getattr(text, "layer_types", None) or [])
    other = sorted({kind for kind in kinds if kind != "full_attention"})
    if other:
        return f"some of its layers have {other[0].replace('_', ' ')}"
    window = getattr(text, "sliding_window", None)
    if window and getattr(text, "use_sliding_window", True):
        return f"its attention has a sliding window of {window:,} tokens"
    if found := next((key for key in _ELSEWHERE if getattr(text, key, None)), None):
        return f"its attention has {found}"
    if int(getattr(text, "num_attention_heads", 1)) % 2:
        return "its heads cannot be halved"
    return ""
