"""Peak memory of training on one device: an estimate, term by term, each with its formula.

What is exact: weights, adapter, gradients, optimizer states (they are counts times bytes). What is
estimated: activations, the loss's working space, overhead. Bytes throughout.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from studio.calculator.activations import Activations, Precision, Shape, activations, shape_of
from studio.calculator.adapter_settings import PROMPTED
from studio.calculator.formatting import count, size
from studio.calculator.meta_model import Skeleton
from studio.calculator.optimizers import find_optimizer, state_bytes
from studio.calculator.parameters import ParameterCount
from studio.calculator.run_settings import WIDTHS, Plan
from studio.runs.methods import METHODS
from studio.runs.objectives import WITH_REFERENCE

CUDA_CONTEXT = 550_000_000
CPU_LIBRARIES = 700_000_000
# TRL's fused loss head works on tiles of this many tokens by this much vocabulary.
_TILE_TOKENS, _TILE_VOCAB = 4096, 32768
_NF4_BLOCK, _NESTED_BLOCK = 64, 256

SOURCES = {
    "weights": "parameters x bytes; NF4: QLoRA, Dettmers et al. 2023, section 3",
    "working copies": "torch.autocast casts float32 weights for 16-bit products",
    "adapters": "PEFT's own tensors; float32 beside a 16-bit base, 16-bit beside a 4-bit one (TRL)",
    "gradients": "one number a trainable parameter, in its own dtype",
    "optimizer": "torch.optim and bitsandbytes: moments kept for each trainable parameter",
    "activations": "what autograd saves in transformers' layers; checked on PEFT's measured runs",
    "logits": "TRL's fused loss head, or plain cross-entropy's copies of the logits",
    "generation": "the KV cache of every answer that is being written, in transformers' generate",
    "reference": "DPO, Rafailov et al. 2023: the reference model",
    "overhead": "CUDA context and libraries",
}


@dataclass(frozen=True)
class Term:
    """One part of the total, with how it came about."""

    name: str
    bytes: int
    formula: str
    source: str = ""

    def as_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "bytes": self.bytes,
            "formula": self.formula,
            "source": self.source or SOURCES.get(self.name, ""),
        }


@dataclass(frozen=True)
class Memory:
    """The terms of a peak; `kv_cache` is what one generated token a row costs, not in the total."""

    terms: tuple[Term, ...]
    kv_cache_per_token: int
    notes: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        return sum(term.bytes for term in self.terms)

    def as_dict(self) -> dict[str, int]:
        """Bytes by term, and `total`."""
        return {term.name: term.bytes for term in self.terms} | {"total": self.total}


def precision_of(plan: Plan) -> Precision:
    """Bytes a number: base weights, computation, adapter."""
    weights = WIDTHS[plan.dtype]
    compute = 2 if weights == 2 or plan.autocast else 4
    adapter = 2 if plan.quantization != "none" else 4
    return Precision(weights, compute, weights if plan.whole_model else adapter)


def estimate_memory(
    bones: Skeleton, counted: ParameterCount, plan: Plan, device: str = "cuda"
) -> Memory:
    """Peak bytes of a training step of `plan` on one device (`cuda`, `cpu`)."""
    precision = precision_of(plan)
    shape = shape_of(bones)
    kept = activations(bones, counted, plan, precision, plan.max_length)
    optimizer, note = find_optimizer(plan.optim)
    tensors = list(_tensors(counted))
    states = state_bytes(optimizer, tensors, precision.adapter)
    working = _logits(shape, plan, precision, device)
    kept_room = _activations(kept, plan, working.bytes, bones, precision)
    cache = 2 * shape.layers * shape.key * precision.compute
    written = _generation(shape, plan, cache, kept_room.bytes + working.bytes)
    paged = ", paged: moves to host memory under pressure" if optimizer.paged else ""
    terms = (
        _weights(bones, plan, precision),
        _working_copies(bones, plan, precision),
        _adapters(counted, plan, precision),
        Term(
            "gradients",
            counted.trainable * precision.adapter,
            f"{count(counted.trainable)} x {precision.adapter} bytes",
        ),
        Term("optimizer", states, f"{plan.optim}: {_per(states, counted.trainable)}{paged}"),
        kept_room,
        working,
        written,
        _reference(bones, counted, plan, precision),
        _overhead(device),
    )
    told = (f"Writing answers: {written.formula}.",) if plan.answers else ()
    notes = (note, *told) if note else told
    return Memory(tuple(term for term in terms if term.bytes), cache, notes)


def _per(total: int, parameters: int) -> str:
    if not total:
        return "no state"
    return f"{count(parameters)} x {total / max(1, parameters):.2g} bytes"


def _tensors(counted: ParameterCount) -> Iterable[tuple[int, tuple[int, ...], int]]:
    for info in counted.modules:
        if not info.tensors:
            yield info.trainable // max(1, info.count), info.shape, info.count
        for _, shape in info.tensors:
            numbers = 1
            for side in shape:
                numbers *= side
            yield numbers, shape, info.count


def _weights(bones: Skeleton, plan: Plan, precision: Precision) -> Term:
    quantised = sum(info.parameters for info in bones.linears())
    width = precision.weights
    if plan.quantization == "none" and bones.beside:
        formula = (
            f"({count(bones.total)} + the base's own head of {count(bones.beside)}, which stays "
            f"loaded) x {width} bytes ({plan.dtype})"
        )
        return Term("weights", (bones.total + bones.beside) * width, formula)
    if plan.quantization == "none":
        formula = f"{count(bones.total)} x {width} bytes ({plan.dtype})"
        return Term("weights", bones.total * width, formula)
    rest = bones.total + bones.beside - quantised
    if plan.quantization == "8bit":
        rows = sum(info.shape[0] * info.count for info in bones.linears())
        packed, words = quantised + 4 * rows, "1 byte and a float32 a row"
    else:
        blocks = -(-quantised // _NF4_BLOCK)
        constants = blocks + 4 * -(-blocks // _NESTED_BLOCK) if plan.double_quant else 4 * blocks
        packed = -(-quantised // 2) + constants
        words = f"{8 * packed / max(1, quantised):.2f} bits with block constants"
    largest = max((info.parameters // info.count for info in bones.linears()), default=0)
    formula = (
        f"{count(quantised)} x {words} + {count(rest)} kept at {width} bytes "
        f"(embeddings, head, norms{_experts(bones)}) + {size(2 * largest)} to unpack one matrix"
    )
    return Term("weights", packed + rest * width + 2 * largest, formula)


def _working_copies(bones: Skeleton, plan: Plan, precision: Precision) -> Term:
    """Autocast's 16-bit copies of float32 matrices, which the backward pass needs."""
    if precision.weights == 2 or precision.compute == 4 or plan.quantization != "none":
        return Term("working copies", 0, "none")
    matrices = sum(info.parameters for info in bones.linears())
    if plan.activation_checkpointing and plan.method != "full":
        matrices //= max(1, shape_of(bones).layers)
    return Term("working copies", 2 * matrices, f"{count(matrices)} x 2 bytes under autocast")


def _experts(bones: Skeleton) -> str:
    fused = sum(info.parameters for info in bones.modules if len(info.shape) == 3)
    return f", {count(fused)} in fused experts, which bitsandbytes leaves" if fused else ""


def _adapters(counted: ParameterCount, plan: Plan, precision: Precision) -> Term:
    if plan.whole_model:
        return Term("adapters", 0, "none")
    return Term(
        "adapters",
        counted.trainable * precision.adapter,
        f"{count(counted.trainable)} x {precision.adapter} bytes",
    )


def _activations(
    kept: Activations, plan: Plan, working: int, bones: Skeleton, precision: Precision
) -> Term:
    tokens = plan.batch_tokens
    transient = kept.transient * tokens + _dora_space(bones, plan)
    shape = f"{plan.sequences} x {plan.max_length} tokens"
    if not plan.activation_checkpointing:
        extra = max(0.0, transient - working)
        words = f"{shape} x {kept.saved / 1e3:,.1f} kB in {kept.layers} layers"
        return Term("activations", round(kept.saved * tokens + extra), words)
    # One layer is recomputed at a time, after the loss's working space has been freed.
    one = max(0.0, kept.layer * tokens + transient - working)
    words = (
        f"checkpointing keeps the {kept.layers} layers' inputs: {shape} x "
        f"{kept.inputs / 1e3:,.1f} kB, and recomputes one layer at a time"
    )
    return Term("activations", round(kept.inputs * tokens + one), words)


def _dora_space(bones: Skeleton, plan: Plan) -> int:
    """DoRA builds one whole update at a time for its norm: the identity, the update, their sum."""
    if plan.method != "dora":
        return 0
    return max(
        (4 * (info.shape[1] ** 2 + 3 * info.shape[0] * info.shape[1]) for info in bones.linears()),
        default=0,
    )


def _logits(shape: Shape, plan: Plan, precision: Precision, device: str) -> Term:
    tokens = plan.batch_tokens
    if plan.objective == "reward":
        return Term("logits", 0, "none: a reward model gives one number a row")
    if not plan.fused_loss:
        each = precision.compute + 12
        return Term(
            "logits",
            tokens * shape.vocab * each,
            f"{tokens:,} tokens x {shape.vocab:,} words x {each} bytes: the logits, their float32 "
            "log-probabilities and two gradients",
        )
    tile = min(tokens, _TILE_TOKENS) * min(shape.vocab, _TILE_VOCAB)
    tile_bytes = tile * (precision.compute if device == "cuda" else precision.compute + 8)
    hidden = tokens * shape.hidden * (precision.compute + 4)
    head = 4 * shape.vocab * shape.hidden if plan.method == "full" else 0
    words = f"{tokens:,} x {shape.hidden:,} hidden states and their float32 gradient + one tile"
    if head:
        words += " + the head's float32 gradient"
    return Term("logits", tile_bytes + hidden + head, words)


def _generation(shape: Shape, plan: Plan, cache: int, room: int) -> Term:
    """What writing a step's answers needs beyond the room that their training takes afterwards."""
    if not plan.answers:
        return Term("generation", 0, "none: the rows hold the answers")
    held = plan.answers * plan.max_length * cache
    scored = plan.answers * shape.vocab * 8  # the last position's logits, once more in float32
    words = (
        f"{plan.answers} answers x {plan.max_length:,} tokens x {cache / 1e3:,.1f} kB of KV cache "
        f"and their next tokens' logits, {size(held + scored)}, of which "
        f"{size(min(room, held + scored))} in the room of activations and logits"
    )
    return Term("generation", max(0, held + scored - room), words)


def _reference(bones: Skeleton, counted: ParameterCount, plan: Plan, precision: Precision) -> Term:
    referred = plan.objective in WITH_REFERENCE
    moved = plan.whole_model or METHODS[plan.method].moves_base
    if moved and (plan.keep_base or (plan.whole_model and plan.scores_reference)):
        words = "the untouched base stays loaded beside the copy that trains"
        if referred:
            words = "the base as it was: what trains is a copy of its own"
        copied = counted.trainable if plan.whole_model else bones.total
        return Term("reference", copied * precision.weights, words)
    if referred and plan.continued and not plan.whole_model and plan.method not in PROMPTED:
        words = f"a frozen copy of the adapter: {count(counted.trainable)} parameters"
        return Term("reference", counted.trainable * precision.adapter, words)
    return Term("reference", 0, "none: the adapter is switched off to score the reference")


def _overhead(device: str) -> Term:
    if device == "cuda":
        return Term("overhead", CUDA_CONTEXT, "CUDA context, cuBLAS workspace")
    return Term("overhead", CPU_LIBRARIES, "Python with torch, transformers, TRL and PEFT loaded")
