"""What the forward pass keeps for the backward pass, in bytes a token, module by module.

Follows what torch's autograd saves in transformers' eager layers (checked against PEFT's measured
runs, see tests): a frozen linear layer saves nothing, since the gradient of its input needs only
its weight; an adapter saves its input, in its own dtype where PEFT casts to it; RMSNorm a float32
copy of its input; attention its queries, keys, values and output; an activation function its
input, a gate both its factors. Selective recomputation in Korthikanti et al. 2022 counts the same
things for a fully trained layer with other kernels.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from studio.calculator.adapter_settings import PROMPTED, RANKED
from studio.calculator.meta_model import ModuleInfo, Skeleton
from studio.calculator.parameters import ParameterCount

_NEW_GELU = ("gelu_new", "gelu_fast", "gelu_accurate", "quick_gelu")
_ATTENTION_PARTS = ("attn", "attention")


@dataclass(frozen=True)
class Precision:
    """Bytes a number of the base's weights, of the computation, and of the adapter's weights."""

    weights: int
    compute: int
    adapter: int

    @property
    def autocast(self) -> bool:
        """Whether matrix products run in 16 bit beside float32 adapters."""
        return self.compute == 2


@dataclass(frozen=True)
class Activations:
    """Bytes a token: `saved` in all layers, `layer` in the largest one, `inputs` of all layers."""

    saved: float
    layer: float
    inputs: float
    transient: float
    layers: int


@dataclass(frozen=True)
class Shape:
    """The model's sizes that activations depend on."""

    hidden: int
    vocab: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    experts_per_token: int
    act: str
    max_positions: int

    @property
    def query(self) -> int:
        return self.heads * self.head_dim

    @property
    def key(self) -> int:
        return self.kv_heads * self.head_dim


def shape_of(bones: Skeleton) -> Shape:
    """Sizes from the config, under whatever names its architecture uses."""
    config = bones.config.get_text_config()
    hidden = int(getattr(config, "hidden_size", 0) or 1)
    heads = int(getattr(config, "num_attention_heads", 0) or 1)
    head_dim = int(getattr(config, "head_dim", 0) or hidden // heads or 1)
    kv_heads = int(getattr(config, "num_key_value_heads", 0) or heads)
    if getattr(config, "multi_query", False) and config.model_type == "falcon":
        kv_heads = 1
    act = getattr(config, "hidden_act", None) or getattr(config, "activation_function", None)
    return Shape(
        hidden=hidden,
        vocab=int(getattr(config, "vocab_size", 0) or 1),
        layers=int(getattr(config, "num_hidden_layers", 0) or 1),
        heads=heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        experts_per_token=int(getattr(config, "num_experts_per_tok", 0) or 1),
        act=str(act or "silu"),
        max_positions=int(getattr(config, "max_position_embeddings", 0) or 1 << 20),
    )


def depth(bones: Skeleton, counted: ParameterCount) -> float:
    """Share of the layers that gradients reach: from the top down to the lowest that trains."""
    pieces = {"embed", "wte", "wpe", "virtual"}
    if not counted.layers or any(
        any(piece in module.suffix for piece in pieces) for module in counted.modules
    ):
        return 1.0
    lists = [block for block in bones.blocks if counted.layers[0][0].startswith(block.list_path)]
    number = sum(len(block.indices) for block in lists)
    lowest = min(int(name.rsplit(".", 1)[-1]) for name, _ in counted.layers)
    return max(0.0, number - lowest) / number if number else 1.0


def activations(
    bones: Skeleton, counted: ParameterCount, settings: Any, precision: Precision, length: int
) -> Activations:
    """Bytes a token for a method and an attention kernel.

    Args:
        settings: has `method`, `lora_dropout` and `attn_implementation`.
        length: tokens a row, for attention kernels that keep the whole matrix.
    """
    shape = shape_of(bones)
    trained = {
        info.pattern: info.trainable for info in counted.modules if info.trainable and info.shape
    }
    layers: dict[tuple[str, str], list[ModuleInfo]] = defaultdict(list)
    counts: dict[tuple[str, str], int] = {}
    for info in bones.modules:
        block = next((b for b in bones.blocks if info.name.startswith(b.prefix)), None)
        if block is not None:
            layers[block.list_path, block.index].append(info)
            counts[block.list_path, block.index] = len(block.indices)
    sizes = {
        key: _layer(infos, shape, trained, settings, precision, length)
        for key, infos in layers.items()
    }
    saved = depth(bones, counted) * sum(size * counts[key] for key, size in sizes.items())
    number = sum(counts.values()) or shape.layers
    residual = shape.hidden * (precision.compute if precision.weights == 2 else 4)
    widest = max((_width(info, shape) for info in bones.linears()), default=shape.hidden)
    return Activations(
        saved=saved,
        layer=max(sizes.values(), default=0.0),
        inputs=residual * number,
        transient=precision.compute * (3 * widest + 2 * shape.hidden),
        layers=number,
    )


def _layer(
    infos: Iterable[ModuleInfo],
    shape: Shape,
    trained: dict[str, int],
    settings: Any,
    precision: Precision,
    length: int,
) -> float:
    """Bytes a token that one layer saves."""
    total = 0.0
    shared: set[tuple[str, int]] = set()
    plain: list[ModuleInfo] = []
    for info in infos:
        if "norm" in info.kind.lower() or "norm" in info.suffix.lower():
            total += _norm(info, shape, precision, info.pattern in trained)
            continue
        if info.linear and not _in_attention(info):
            plain.append(info)
        if info.pattern in trained and settings.method not in PROMPTED:
            total += _trained_input(info, shared, shape, settings, precision)
    total += _attention(shape, precision, settings.attn_implementation, length)
    return total + _feed_forward(plain, infos, shape, precision)


def _in_attention(info: ModuleInfo) -> bool:
    return any(part in info.name.rsplit(".", 1)[0].lower() for part in _ATTENTION_PARTS)


def _norm(info: ModuleInfo, shape: Shape, precision: Precision, trained: bool) -> float:
    width = info.shape[0] if info.shape else shape.hidden
    if info.suffix.startswith(("q_", "k_")) and width == shape.head_dim:
        width = shape.query if info.suffix.startswith("q_") else shape.key
    if info.kind == "LayerNorm":
        return precision.weights * width
    return width * (4 + (precision.compute if trained else 0))


def _trained_input(
    info: ModuleInfo,
    shared: set[tuple[str, int]],
    shape: Shape,
    settings: Any,
    precision: Precision,
) -> float:
    """What training a linear layer, or an adapter on it, keeps of that layer's input."""
    width, out = (info.shape[-1], info.shape[0]) if len(info.shape) > 1 else (0, 0)
    parent = info.name.rsplit(".", 1)[0]
    copies = shape.experts_per_token if len(info.shape) == 3 else 1
    total = 0.0
    cast = settings.method in RANKED and precision.adapter == 4 and precision.weights == 2
    if settings.lora_dropout and settings.method in RANKED:
        total += width * (precision.compute + 1)  # the thinned copy and its mask
    elif cast:
        total += width * (precision.compute if settings.autocast else 4)
    elif (parent, width) not in shared:
        total += width * precision.compute
        shared.add((parent, width))
    if settings.method == "dora":
        total += out * (precision.compute + (precision.compute if settings.autocast else 4))
    if settings.method == "ia3":
        total += out * precision.compute
    return total * copies


def _attention(shape: Shape, precision: Precision, kernel: str | None, length: int) -> float:
    """Queries, keys, values and output; eager also keeps the probabilities of every pair."""
    keys = shape.key if kernel and kernel.startswith("flash") else shape.query
    total = precision.compute * (2 * shape.query + 2 * keys) + 4 * shape.heads
    if kernel == "eager":
        total += shape.heads * length * (4 + precision.compute)
    return total


def _feed_forward(
    plain: list[ModuleInfo], infos: Iterable[ModuleInfo], shape: Shape, precision: Precision
) -> float:
    """The activation function's input, and for a gate both factors of its product."""
    down = [info for info in plain if info.shape[0] == shape.hidden and info.shape[1] > 1]
    ups = [info for info in plain if info not in down and info.shape[0] > 1]
    total = 0.0
    copies = shape.experts_per_token
    experts = [info for info in infos if len(info.shape) == 3]
    for info in experts:
        total += copies * precision.compute * 1.5 * max(info.shape[1:])
    for info in down:
        inner = info.shape[1]
        gated = sum(up.shape[0] for up in ups) >= 2 * inner
        factor = 3 if gated else 1
        if shape.act in _NEW_GELU and not gated:
            factor = 4
        total += precision.compute * factor * inner
    return total


def _width(info: ModuleInfo, shape: Shape) -> int:
    return max(info.shape[:2]) if info.shape else shape.hidden
