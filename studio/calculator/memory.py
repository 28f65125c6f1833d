"""Peak memory of training on one device: an estimate, term by term, each with its formula.

Weights, adapter, gradients and optimizer states are exact: counts times bytes. Activations, the
loss's working space and the overhead are estimated. Bytes throughout.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from studio.calculator.activations import activations
from studio.calculator.dataset_lengths import sides
from studio.calculator.experts import adapted_numbers
from studio.calculator.optimizers import find_optimizer, state_bytes
from studio.calculator.workload import Workload
from studio.core.formatting import bytes_range, bytes_text, compact, percent_range, percent_text
from studio.runs.methods import METHODS, PROMPTED
from studio.runs.objectives import OBJECTIVES, WITH_REFERENCE

CUDA_CONTEXT = 550_000_000
CPU_LIBRARIES = 700_000_000
# TRL's fused loss head works on tiles of this many tokens by this much vocabulary.
_TILE_TOKENS, _TILE_VOCAB = 4096, 32768
_NF4_BLOCK, _NESTED_BLOCK = 64, 256
SLACK = (0.05, 0.19)
"""What PyTorch's allocator reserves over what tensors take, as a share: the range to allow
for until `benchmarks.memory` has measured it on a card. The terms count tensors."""
QLORA_UNDER = (0.12, 0.32)
"""How far the estimate may lie under the peak of a QLoRA run, slack included: reported peaks lie
above it. Until `benchmarks.memory` has confirmed the terms on a card, the figure is a range."""

SOURCES = {
    "weights": "parameters x bytes; NF4: QLoRA, Dettmers et al. 2023, section 3",
    "working copies": "torch.autocast casts float32 weights for 16-bit products",
    "adapters": "PEFT's own tensors, in float32",
    "gradients": "one float32 number per trainable parameter",
    "optimizer": "torch.optim and bitsandbytes: moments kept for each trainable parameter",
    "activations": "what autograd saves in transformers' layers; checked on PEFT's measured runs",
    "logits": "TRL's fused loss head, or plain cross-entropy's copies of the logits",
    "generation": "the KV cache of every completion being generated, in transformers' generate",
    "vllm": "vLLM's gpu_memory_utilization; TRL lets it sleep at level 2, which frees its weights",
    "reference": "DPO, Rafailov et al. 2023: the reference model",
    "overhead": "CUDA context and libraries",
}


@dataclass(frozen=True)
class Term:
    """One part of the total, with its formula and source."""

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
    """The terms of a peak; `kv_cache_per_token` is generation's, per row, and not in the total.

    `range` is (least, most) bytes that the device may show as taken: with the allocator's slack,
    and for QLoRA with the distance to published peaks. `uncertain` says that the range, not the
    total, is the figure to go by.
    """

    terms: tuple[Term, ...]
    kv_cache_per_token: int
    notes: tuple[str, ...] = ()
    range: tuple[int, int] = (0, 0)
    uncertain: bool = False

    def words(self) -> str:
        """`3.1 GB`, or `6.3 to 9.2 GB` where the range is the figure."""
        return bytes_range(*self.range) if self.uncertain else bytes_text(self.total)

    @property
    def total(self) -> int:
        return sum(term.bytes for term in self.terms)

    def as_dict(self) -> dict[str, int]:
        """Bytes by term, and `total`."""
        return {term.name: term.bytes for term in self.terms} | {"total": self.total}


def estimate_memory(work: Workload) -> Memory:
    """Peak bytes of a training step on one device."""
    counted, precision, shape = work.counted, work.precision, work.shape
    optimizer, note = find_optimizer(work.optim)
    states = state_bytes(optimizer, _tensors(work), precision.trained)
    logits = _logits(work)
    kept = _activations(work, logits.bytes)
    cache = 2 * shape.layers * shape.key * precision.compute
    generation = _generation(work, cache, kept.bytes + logits.bytes)
    paged = ", paged: moves to host memory under pressure" if optimizer.paged else ""
    each = f"{compact(counted.trainable)} x {precision.trained} bytes"
    trained = counted.trainable * precision.trained
    terms = (
        _weights(work),
        _working_copies(work),
        Term("adapters", 0 if work.whole_model else trained, each),
        Term("gradients", trained, each),
        Term("optimizer", states, f"{work.optim}: {_per(states, counted.trainable)}{paged}"),
        kept,
        logits,
        generation,
        _vllm(work, kept.bytes + logits.bytes),
        _reference(work),
        _overhead(work.gpu.device),
    )
    notes = [note] if note else []
    if OBJECTIVES[work.recipe.objective].teacher and work.teacher is None:
        notes.append("The teacher is not counted: name a model or run that is known here.")
    if work.completions:
        notes.append(f"Generating completions: {generation.formula}.")
    total, uncertain = sum(term.bytes for term in terms), work.quantization == "4bit"
    spread = _range(work, total)
    if uncertain and work.gpu.device == "cuda":
        notes.append(
            f"QLoRA's peak is a range, {bytes_range(*spread)}: reported peaks are "
            f"{_over(QLORA_UNDER)} above what the terms add up to."
        )
    return Memory(
        tuple(term for term in terms if term.bytes),
        cache,
        tuple(notes),
        spread,
        uncertain and work.gpu.device == "cuda",
    )


def _range(work: Workload, total: int) -> tuple[int, int]:
    if work.gpu.device != "cuda":
        return total, total  # no caching allocator of PyTorch's
    if work.quantization == "4bit":
        return total, round(total / (1 - QLORA_UNDER[1]))
    tensors = total - CUDA_CONTEXT
    least, most = (CUDA_CONTEXT + round(tensors * (1 + share)) for share in SLACK)
    return least, most


def _over(under: tuple[float, float]) -> str:
    """How far peaks lie over an estimate that lies `under` them: `14 to 47 %`."""
    least, most = (1 / (1 - share) - 1 for share in under)
    return percent_range(round(least, 2), round(most, 2))


def _per(total: int, parameters: int) -> str:
    if not total:
        return "no state"
    return f"{compact(parameters)} x {total / max(1, parameters):.2g} bytes"


def _tensors(work: Workload) -> Iterator[tuple[int, tuple[int, ...], int]]:
    for info in work.counted.modules:
        for shape in info.tensors:
            yield math.prod(shape), shape, info.count


def _weights(work: Workload) -> Term:
    model, width = work.model, work.precision.weights
    if work.quantization == "none":
        formula = f"{compact(model.total)} x {width} bytes ({work.loop.dtype})"
        if model.beside:
            formula = (
                f"({compact(model.total)} + the base's own head of {compact(model.beside)}, which "
                f"stays loaded) x {width} bytes ({work.loop.dtype})"
            )
        if work.whole_model and width != work.precision.trained:
            return _widened(work)
        return Term("weights", (model.total + model.beside) * width, formula)
    quantized = sum(info.parameters for info in model.linears())
    rest = model.total + model.beside - quantized
    if work.quantization == "8bit":
        rows = sum(info.shape[0] * info.count for info in model.linears())
        packed, each = quantized + 4 * rows, "1 byte and a float32 per row"
    else:
        blocks = -(-quantized // _NF4_BLOCK)
        nested = work.recipe.use_bnb_nested_quant
        constants = blocks + 4 * -(-blocks // _NESTED_BLOCK) if nested else 4 * blocks
        packed = -(-quantized // 2) + constants
        each = f"{8 * packed / max(1, quantized):.2f} bits with block constants"
    largest = max((info.parameters // info.count for info in model.linears()), default=0)
    formula = (
        f"{compact(quantized)} x {each} + {compact(rest)} kept at {width} bytes "
        f"(embeddings, head, norms{_experts(work)}) + {bytes_text(2 * largest)} to unpack one "
        "matrix"
    )
    return Term("weights", packed + rest * width + 2 * largest, formula)


def _widened(work: Workload) -> Term:
    """The weights of a model that trains itself: float32 what trains, 16 bits what does not."""
    trained, width = work.counted.trainable, work.precision.weights
    frozen = work.model.total - trained + work.model.beside
    formula = f"{compact(trained)} x {work.precision.trained} bytes (float32, as they train)"
    if frozen:
        formula += f" + {compact(frozen)} frozen x {width} bytes ({work.loop.dtype})"
    return Term("weights", trained * work.precision.trained + frozen * width, formula)


def _working_copies(work: Workload) -> Term:
    """Autocast's 16-bit copies of float32 matrices, which the backward pass needs, and PEFT's
    copies of stacked experts with their update added."""
    stacked = adapted_numbers(work.model, work.recipe)
    if work.recipe.activation_checkpointing:  # one layer's at a time
        stacked //= max(1, work.shape.layers)
    if stacked and not work.loop.autocast:
        width = work.precision.weights
        formula = f"{compact(stacked)} x {width} bytes: experts with their update added"
        return Term("working copies", stacked * width, formula)
    if not work.loop.autocast:
        return Term("working copies", 0, "none")
    linear = {info.pattern: info.parameters for info in work.model.linears()}
    if work.whole_model:
        trained = sum(m.trainable for m in work.counted.modules if m.pattern in linear)
    else:
        lora = METHODS[work.recipe.method].config == "LoraConfig"
        trained = work.counted.trainable if lora else 0
    frozen = 0
    if work.precision.weights == 4 and work.quantization == "none":
        frozen = sum(linear.values()) - (trained if work.whole_model else 0)
        if work.recipe.activation_checkpointing:  # one layer's at a time
            frozen //= max(1, work.shape.layers)
    copied = trained + frozen + stacked
    return Term("working copies", 2 * copied, f"{compact(copied)} x 2 bytes under autocast")


def _experts(work: Workload) -> str:
    fused = sum(info.parameters for info in work.model.modules if len(info.shape) == 3)
    return f", {compact(fused)} in fused experts, which bitsandbytes leaves" if fused else ""


def _activations(work: Workload, logits: int) -> Term:
    kept, tokens = activations(work), work.tokens
    transient = kept.transient * tokens + _dora_space(work)
    shape = f"{work.sequences} x {work.length} tokens"
    if work.recipe.activation_offloading:
        return _offloaded(work, kept.layer * tokens, transient, logits)
    if not work.recipe.activation_checkpointing:
        extra = max(0.0, transient - logits)
        formula = f"{shape} x {bytes_text(kept.saved)} in {kept.layers} layers"
        return Term("activations", round(kept.saved * tokens + extra), formula)
    # One layer is recomputed at a time, after the loss's working space has been freed.
    one = max(0.0, kept.layer * tokens + transient - logits)
    formula = (
        f"checkpointing keeps the {kept.layers} layers' inputs: {shape} x "
        f"{bytes_text(kept.inputs)}, and recomputes one layer at a time"
    )
    return Term("activations", round(kept.inputs * tokens + one), formula)


_STASH = 5  # TRL's `max_fwd_stash_size`: layers' inputs that may still be on their way


def _offloaded(work: Workload, layer: float, transient: float, logits: int) -> Term:
    """One layer's activations, and what is on its way to the host; the rest lies there."""
    on_the_way = _STASH * work.tokens * work.shape.hidden * work.precision.compute
    held = layer + on_the_way + max(0.0, transient - logits)
    kept = activations(work)
    there = kept.inputs if work.recipe.activation_checkpointing else kept.saved
    formula = (
        f"one layer's at a time; {bytes_text(round(there * work.tokens))} of the {kept.layers} "
        "layers' lie in the host's memory"
    )
    return Term("activations", round(held), formula)


def _dora_space(work: Workload) -> int:
    """DoRA builds one whole update at a time for its norm: the identity, the update, their sum."""
    if work.recipe.method != "dora":
        return 0
    shapes = [info.shape for info in work.model.linears()]
    return max((4 * (into**2 + 3 * out * into) for out, into in shapes), default=0)


def _logits(work: Workload) -> Term:
    tokens, vocab, compute = work.tokens, work.shape.vocab, work.precision.compute
    if work.recipe.objective == "reward":
        return Term("logits", 0, "none: a reward model gives one number per row")
    if work.embeds:
        return _similarities(work)
    if not work.loop.fused_loss:
        each = compute + 12
        return Term(
            "logits",
            tokens * vocab * each,
            f"{tokens:,} tokens x {vocab:,} vocabulary entries x {each} bytes: the logits, their "
            "float32 log-probabilities and two gradients",
        )
    tile = min(tokens, _TILE_TOKENS) * min(vocab, _TILE_VOCAB)
    tile_bytes = tile * (compute if work.gpu.device == "cuda" else compute + 8)
    hidden = tokens * work.shape.hidden * (compute + 4)
    head = 4 * vocab * work.shape.hidden if work.recipe.method == "full" else 0
    formula = (
        f"{tokens:,} x {work.shape.hidden:,} hidden states and their float32 gradient + one tile"
    )
    if head:
        formula += " + the head's float32 gradient"
    return Term("logits", tile_bytes + hidden + head, formula)


def _similarities(work: Workload) -> Term:
    """Vectors of a batch and their similarities, with the gradients of both."""
    recipe = work.recipe
    batch, count = recipe.per_device_train_batch_size, sides(recipe)
    documents = batch * (count - 1)
    queries = min(recipe.mini_batch_size, batch) if work.cached_loss else batch
    vectors = batch * count * work.shape.hidden
    total = 2 * 4 * vectors + 3 * 4 * queries * documents
    formula = (
        f"{batch * count:,} vectors of {work.shape.hidden:,} numbers and {queries:,} x "
        f"{documents:,} similarities, with their gradients, in float32"
    )
    return Term("logits", total, formula, "sentence-transformers' in-batch negatives")


def _generation(work: Workload, cache: int, room: int) -> Term:
    """What generating a step's completions needs beyond the room that training on them takes."""
    if not work.completions:
        return Term("generation", 0, "none: the rows hold the answers")
    if work.recipe.use_vllm:
        return Term("generation", 0, "vLLM's, which takes memory of its own")
    held = work.completions * work.length * cache
    scored = work.completions * work.shape.vocab * 8  # the last position's logits, and in float32
    formula = (
        f"{work.completions} completions x {work.length:,} tokens x {bytes_text(cache)} of KV "
        f"cache and their next tokens' logits, {bytes_text(held + scored)}, of which "
        f"{bytes_text(min(room, held + scored))} in the room of activations and logits"
    )
    return Term("generation", max(0, held + scored - room), formula)


def _vllm(work: Workload, room: int) -> Term:
    """What vLLM takes of this GPU: its own copy of the weights, and KV cache for the rest."""
    recipe = work.recipe
    if not (work.online and recipe.use_vllm):
        return Term("vllm", 0, "none: transformers generates")
    if recipe.vllm_mode == "server":
        return Term("vllm", 0, "none here: the server's GPU")
    share = round(recipe.vllm_gpu_memory_utilization * work.gpu.memory)
    formula = f"{percent_text(recipe.vllm_gpu_memory_utilization)} of {bytes_text(work.gpu.memory)}"
    if not recipe.vllm_enable_sleep_mode:
        return Term("vllm", share, formula)
    formula += f", of which {bytes_text(min(room, share))} in the room of activations and logits"
    return Term("vllm", max(0, share - room), formula + ": it sleeps while a step trains")


def _reference(work: Workload) -> Term:
    recipe, counted, precision = work.recipe, work.counted, work.precision
    if work.teacher is not None:
        weights = _weights(work.teacher)
        return Term("teacher", weights.bytes, f"the teacher: {weights.formula}")
    referred = recipe.objective in WITH_REFERENCE
    moved = work.whole_model or METHODS[recipe.method].moves_base or recipe.merges_to_sample
    if moved and (work.loop.keeps_base or (work.whole_model and work.scores_reference)):
        formula = "the unchanged base stays loaded beside the copy that trains"
        if referred:
            formula = "the unchanged base: what trains is a copy of it"
        copied = counted.trainable if work.whole_model else work.model.total
        return Term("reference", copied * precision.weights, formula)
    if referred and recipe.continues and not work.whole_model and recipe.method not in PROMPTED:
        formula = f"a frozen copy of the adapter: {compact(counted.trainable)} parameters"
        return Term("reference", counted.trainable * precision.trained, formula)
    return Term("reference", 0, "none: the adapter is switched off to score the reference")


def _overhead(device: str) -> Term:
    if device == "cuda":
        return Term("overhead", CUDA_CONTEXT, "CUDA context, cuBLAS workspace")
    return Term("overhead", CPU_LIBRARIES, "Python with torch, transformers, TRL and PEFT loaded")
