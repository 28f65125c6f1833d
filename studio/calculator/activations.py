"""What the forward pass keeps for the backward pass, in bytes per token, module by module.

Follows what torch's autograd saves in transformers' eager layers (checked against PEFT's measured
runs, see tests): a frozen linear layer saves nothing, since the gradient of its input needs only
its weight; an adapter saves its input, in its own dtype where PEFT casts to it; RMSNorm a float32
copy of its input; attention its queries, keys, values and output; an activation function its
input, a gate both its factors. Selective recomputation in Korthikanti et al. 2022 counts the same
things for a fully trained layer with other kernels.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from studio.calculator.meta_model import MetaModel, ModuleInfo
from studio.calculator.parameters import ParameterCount
from studio.calculator.workload import Workload
from studio.runs.methods import PROMPTED, field_applies

_NEW_GELU = ("gelu_new", "gelu_fast", "gelu_accurate", "quick_gelu")
_ATTENTION_PARTS = ("attn", "attention")
_EMBEDDINGS = ("embed", "wte", "wpe", "virtual")


@dataclass(frozen=True)
class Activations:
    """Bytes per token: `saved` in all layers, `layer` in the largest one, `inputs` of all layers.

    `transient` is held for a moment at a time.
    """

    saved: float
    layer: float
    inputs: float
    transient: float
    layers: int


def depth(model: MetaModel, counted: ParameterCount) -> float:
    """Share of the layers that gradients reach: from the top down to the lowest that trains."""
    embedded = any(part in m.suffix for m in counted.modules for part in _EMBEDDINGS)
    if not counted.layers or embedded:
        return 1.0
    first = counted.layers[0][0]
    blocks = [block for block in model.blocks if first.startswith(block.list_path)]
    number = sum(len(block.indices) for block in blocks)
    lowest = min(int(name.rsplit(".", 1)[-1]) for name, _ in counted.layers)
    return max(0.0, number - lowest) / number if number else 1.0


def activations(work: Workload) -> Activations:
    """Bytes per token of a workload."""
    model, precision, shape = work.model, work.precision, work.shape
    trained = {info.pattern for info in work.counted.modules if info.shape}
    layers: dict[str, list[ModuleInfo]] = defaultdict(list)
    counts = {block.prefix: len(block.indices) for block in model.blocks}
    for info in model.modules:
        if prefix := next((p for p in counts if info.name.startswith(p)), None):
            layers[prefix].append(info)
    sizes = {prefix: _layer(work, infos, trained) for prefix, infos in layers.items()}
    number = sum(counts[prefix] for prefix in layers) or shape.layers
    widest = max((max(info.shape[:2]) for info in model.linears()), default=shape.hidden)
    return Activations(
        saved=depth(model, work.counted) * sum(sizes[p] * counts[p] for p in sizes),
        layer=max(sizes.values(), default=0.0),
        inputs=shape.hidden * work.stream * number,
        transient=precision.compute * (3 * widest + 2 * shape.hidden),
        layers=number,
    )


def _layer(work: Workload, infos: list[ModuleInfo], trained: set[str]) -> float:
    """Bytes per token that one layer saves."""
    total = _attention(work) + _feed_forward(work, infos)
    shared: set[tuple[str, int]] = set()
    for info in infos:
        trains = info.pattern in trained
        if "norm" in info.kind.lower() or "norm" in info.suffix.lower():
            total += _norm(work, info, trains)
        elif trains and work.recipe.method not in PROMPTED:
            total += _trained_input(work, info, shared)
    return total


def _norm(work: Workload, info: ModuleInfo, trained: bool) -> float:
    shape = work.shape
    width = info.shape[0] if info.shape else shape.hidden
    if info.suffix.startswith(("q_", "k_")) and width == shape.head_dim:
        width = shape.query if info.suffix.startswith("q_") else shape.key
    if info.kind == "LayerNorm":
        return width * (4 if work.loop.autocast else work.stream)
    return width * (4 + (work.stream if trained else 0))


def _trained_input(work: Workload, info: ModuleInfo, shared: set[tuple[str, int]]) -> float:
    """What training a linear layer, or an adapter on it, keeps of that layer's input."""
    precision, method, autocast = work.precision, work.recipe.method, work.loop.autocast
    width, out = (info.shape[-1], info.shape[0]) if len(info.shape) > 1 else (0, 0)
    parent = info.name.rsplit(".", 1)[0]
    copies = work.shape.experts_per_token if len(info.shape) == 3 else 1
    total = 0.0
    ranked = field_applies("lora_r", method)
    if work.recipe.lora_dropout and field_applies("lora_dropout", method):
        total += width * (precision.compute + 1)  # the input after dropout, and the mask
    elif ranked and work.casts_inputs:
        total += width * (precision.compute if autocast else 4)
    elif (parent, width) not in shared:
        total += width * precision.compute
        shared.add((parent, width))
    if method == "dora":
        total += out * (precision.compute + (precision.compute if autocast else 4))
    if method == "ia3":
        total += out * precision.compute
    return total * copies


def _attention(work: Workload) -> float:
    """Queries, keys, values and output; eager also keeps the probabilities of every pair."""
    shape, compute, kernel = work.shape, work.precision.compute, work.recipe.attn_implementation
    keys = shape.key if kernel and kernel.startswith("flash") else shape.query
    total = compute * (2 * shape.query + 2 * keys) + 4 * shape.heads
    if kernel == "eager":
        total += shape.heads * work.length * (4 + compute)
    return total


def _feed_forward(work: Workload, infos: list[ModuleInfo]) -> float:
    """The activation function's input, and for a gate both factors of its product."""
    shape, compute = work.shape, work.precision.compute
    plain = [info for info in infos if info.linear and not _in_attention(info)]
    down = [info for info in plain if info.shape[0] == shape.hidden and info.shape[1] > 1]
    ups = [info for info in plain if info not in down and info.shape[0] > 1]
    total = 0.0
    for info in infos:
        if len(info.shape) == 3:  # stacked experts
            total += shape.experts_per_token * compute * 1.5 * max(info.shape[1:])
    for info in down:
        inner = info.shape[1]
        gated = sum(up.shape[0] for up in ups) >= 2 * inner
        factor = 3 if gated else 4 if shape.act in _NEW_GELU else 1
        total += compute * factor * inner
    return total


def _in_attention(info: ModuleInfo) -> bool:
    return any(part in info.name.rsplit(".", 1)[0].lower() for part in _ATTENTION_PARTS)
