"""Steps, tokens, floating-point operations and time; time is always a range.

A multiply-add counts as two operations. A matrix of N parameters costs 2N per token in the forward
pass, 2N for the gradient of its input and 2N for its own gradient, which a frozen one does not
need; attention costs 4 x length x width per layer, half of it masked (Kaplan et al. 2020, section
2.1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from studio.calculator.activations import depth
from studio.calculator.dataset_lengths import Lengths, RowCount
from studio.calculator.workload import Workload
from studio.core.formatting import percent_range, span_text
from studio.runs.steps import planned_steps

# A quantized matrix is unpacked before each product.
_UNPACKING = {"none": 1.0, "8bit": 1.4, "4bit": 1.3}
# Python and kernel launches: seconds per step, and per layer and step, at best and at worst.
_STEP = {"cuda": (0.01, 0.05), "cpu": (0.005, 0.03), "mps": (0.02, 0.08)}
_LAYER = {"cuda": (0.0005, 0.002), "cpu": (0.0015, 0.005), "mps": (0.001, 0.004)}
# Completions are generated token by token: a forward pass each, for all of a step together.
_FORWARD = 1 / 3
_ENDS_EARLY = 1 / 4


@dataclass(frozen=True)
class Cost:
    """What a run takes. `seconds` is (low, high), or None when the rows are not known.

    `tokens` are (the rows' own, with padding) over the whole run, `trained` those that the loss
    counts, where that is known; `basis` says where the time is from, `data` describes the rows.
    """

    flops_per_token: float
    steps: int | None = None
    tokens: tuple[int, int] | None = None
    trained: int | None = None
    seconds: tuple[float, float] | None = None
    basis: str = ""
    data: str = ""

    def words(self) -> str:
        """`about 2 min`, `2 to 5 min`, or nothing."""
        return span_text(*self.seconds) if self.seconds else ""

    def money(self, per_hour: float) -> tuple[float, float] | None:
        """(low, high) at an hourly rate, in the rate's own currency."""
        if not self.seconds:
            return None
        return self.seconds[0] / 3600 * per_hour, self.seconds[1] / 3600 * per_hour

    def as_dict(self) -> dict[str, Any]:
        return {
            "flops_per_token": self.flops_per_token,
            "steps": self.steps,
            "tokens": list(self.tokens) if self.tokens else None,
            "trained_tokens": self.trained,
            "seconds": list(self.seconds) if self.seconds else None,
            "basis": self.basis,
            "data": self.data,
        }


def flops_per_token(work: Workload) -> float:
    """Floating-point operations of training on one token of a batch."""
    model, shape, counted = work.model, work.shape, work.counted
    matrices = _matrices(work)
    adapter = 0 if work.whole_model else counted.trainable
    attention = 2 * work.length * shape.query * shape.layers
    forward = 2 * (matrices + adapter) + attention
    trained = matrices * counted.trainable / counted.total if work.whole_model else adapter
    total = forward + depth(model, counted) * forward + 2 * trained
    if work.recipe.activation_checkpointing:
        total += forward
    if work.cached_loss:  # vectors first, without gradients
        total += forward
    if work.online:  # the completions' log-probabilities before the update, or the teacher's
        total += _scored(work.teacher) if work.teacher else forward
    scored = 2 * matrices + attention
    if work.scores_reference:
        total += scored
    if work.estimates_kl:  # the shuffled completions, under the policy and under the reference
        total += forward + (scored if work.scores_reference else 0)
    return total


def _matrices(work: Workload) -> float:
    """Parameters of the matrices that every token passes through."""
    model, shape = work.model, work.shape
    matrices = 0.0
    for info in model.modules:
        if len(info.shape) == 3:
            matrices += info.parameters / info.shape[0] * shape.experts_per_token
        elif info.linear:
            matrices += info.parameters
    if model.tied:  # counted as an embedding, where it occurs first; used as the head's matrix
        matrices += shape.vocab * shape.hidden
    return matrices


def _scored(work: Workload) -> float:
    """Operations of reading one token without learning from it."""
    return 2 * _matrices(work) + 2 * work.length * work.shape.query * work.shape.layers


def estimate_cost(work: Workload, lengths: Lengths | RowCount | None = None) -> Cost:
    """What a run over rows of these lengths takes; only operations per token without them."""
    recipe, gpu = work.recipe, work.gpu
    each = flops_per_token(work)
    if lengths is None:
        return Cost(each)
    lengths = lengths.of(recipe.objective)
    low, high = lengths.tokens(recipe)
    packed = max(1, math.ceil(lengths.rows * low / recipe.max_length)) if recipe.packing else None
    steps = planned_steps(recipe, packed or lengths.rows)
    seen = _rows_seen(work, lengths.rows, packed, steps)
    trained = lengths.trained(recipe)
    cost = Cost(
        each,
        steps,
        (round(seen * low), round(seen * high)),
        None if trained is None else round(seen * trained),
        data=lengths.describe(recipe),
    )
    if gpu.tokens_per_second:
        most = seen * (low if trained is not None else high)
        seconds = (0.9 * seen * low / gpu.tokens_per_second, 1.2 * most / gpu.tokens_per_second)
        basis = f"measured: {gpu.tokens_per_second:,.0f} tokens/s"
        return replace(cost, seconds=seconds, basis=basis)
    return replace(cost, seconds=_seconds(work, cost, steps), basis=_basis(work, each))


def _seconds(work: Workload, cost: Cost, steps: int) -> tuple[float, float]:
    """(low, high) from the GPU's peak, and what Python and kernel launches take at least."""
    recipe, gpu = work.recipe, work.gpu
    device = gpu.device if gpu.device in _STEP else "cuda"
    quick, slow = (_STEP[device][end] + work.shape.layers * _LAYER[device][end] for end in (0, 1))
    passes = steps / recipe.num_iterations * recipe.max_completion_length if work.online else 0
    batches = steps * recipe.gradient_accumulation_steps
    least = quick * (batches + passes * _ENDS_EARLY * _FORWARD)
    extra = slow * (batches + passes * _FORWARD)
    own, padded = cost.tokens or (0, 0)
    each = cost.flops_per_token * _UNPACKING[work.quantization]
    low, high = gpu.efficiency
    return max(own * each / (gpu.flops * high), least), padded * each / (gpu.flops * low) + extra


def _basis(work: Workload, each: float) -> str:
    low, high = work.gpu.efficiency
    basis = (
        f"{each:.3g} operations per token at {percent_range(low, high)} of "
        f"{work.gpu.flops / 1e12:,.3g} TFLOP/s"
    )
    if work.online:
        longest = work.recipe.max_completion_length
        basis += f"; {work.completions} completions per step, up to {longest} tokens each"
    return basis


def _rows_seen(work: Workload, rows: int, packed: int | None, steps: int) -> float:
    """Rows that pass through the model over the whole run; completions of an online objective."""
    recipe = work.recipe
    if work.online:
        return steps * work.completions
    if recipe.max_steps <= 0:
        return rows * recipe.num_train_epochs
    per_step = recipe.per_device_train_batch_size * recipe.gradient_accumulation_steps
    return recipe.max_steps * per_step * (rows / packed if packed else 1)
