"""Steps, tokens, floating-point operations and time; time is always a range.

A multiply-add counts as two operations. A matrix of N parameters costs 2N a token forwards, 2N for
the gradient of its input and 2N for its own gradient, which a frozen one does not need; attention
costs 4 x length x width a layer, half of it masked (Kaplan et al. 2020, section 2.1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from studio.calculator.activations import depth, shape_of
from studio.calculator.dataset_lengths import Lengths
from studio.calculator.formatting import span
from studio.calculator.gpus import Card
from studio.calculator.meta_model import Skeleton
from studio.calculator.parameters import ParameterCount
from studio.calculator.run_settings import PAIRED, Plan
from studio.runs import steps
from studio.runs.objectives import REWARDED

# A quantised matrix is unpacked before each product.
_UNPACKING = {"none": 1.0, "8bit": 1.4, "4bit": 1.3}
# Python and kernel launches: seconds a step, and a layer a step, at best and at worst.
_STEP = {"cuda": (0.01, 0.05), "cpu": (0.005, 0.03), "mps": (0.02, 0.08)}
_LAYER = {"cuda": (0.0005, 0.002), "cpu": (0.0015, 0.005), "mps": (0.001, 0.004)}
# Answers are written token after token: a pass forwards for each, all answers of a step together.
_FORWARD = 1 / 3
_ENDS_EARLY = 1 / 4


@dataclass(frozen=True)
class Cost:
    """What a run takes. `seconds` is (low, high), or None when the rows are not known.

    `tokens` are (the rows' own, with padding) over the whole run, `trained` those that the loss
    counts, where that is known; `data` says what the rows are like.
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
        return span(*self.seconds) if self.seconds else ""

    def money(self, per_hour: float) -> tuple[float, float] | None:
        """(low, high) at a rate an hour, in whatever money the rate is in."""
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


def flops_per_token(bones: Skeleton, counted: ParameterCount, plan: Plan) -> float:
    """Floating-point operations of training on one token of a batch."""
    shape = shape_of(bones)
    matrices = 0.0
    for info in bones.modules:
        if len(info.shape) == 3:
            matrices += info.parameters / info.shape[0] * shape.experts_per_token
        elif info.linear:
            matrices += info.parameters
    if bones.tied:  # counted where it was met first, as an embedding; used as the head's matrix
        matrices += shape.vocab * shape.hidden
    adapter = 0 if plan.whole_model else counted.trainable
    attention = 2 * plan.max_length * shape.query * shape.layers
    forward = 2 * (matrices + adapter) + attention
    trained = adapter
    if plan.whole_model:
        trained = matrices * counted.trainable / counted.total
    total = forward + depth(bones, counted) * forward + 2 * trained
    if plan.activation_checkpointing:
        total += forward
    if plan.objective in REWARDED:  # every answer is written before it is learned from
        total += forward
    scored = 2 * matrices + attention
    if plan.scores_reference:
        total += scored
    if plan.estimates_kl:  # the shuffled answers, under the policy and under the reference
        total += forward + (scored if plan.scores_reference else 0)
    return total


def steps_of(plan: Plan, rows: int, packed_rows: int | None = None) -> int:
    """Optimizer steps over so many rows."""
    if plan.max_steps > 0:
        return plan.max_steps
    if plan.objective in REWARDED:
        return steps.planned_steps(plan, rows)
    batches = math.ceil((packed_rows or rows) / plan.per_device_train_batch_size)
    per_epoch = max(1, math.ceil(batches / plan.gradient_accumulation_steps))
    return max(1, round(per_epoch * plan.num_train_epochs))


def estimate_cost(
    bones: Skeleton,
    counted: ParameterCount,
    plan: Plan,
    card: Card,
    *,
    rows: int | None = None,
    mean_tokens: float | None = None,
    lengths: Lengths | None = None,
    tokens_per_second: float | None = None,
) -> Cost:
    """What a run over `rows` rows of `mean_tokens` tokens takes on a card.

    `mean_tokens` counts a whole row (for pairs its two sides together); unknown, a quarter to all
    of the length is assumed. Measured `lengths` of a dataset beat both, and a measured
    `tokens_per_second` (of the rows' own tokens) beats the card's peak.
    """
    each = flops_per_token(bones, counted, plan)
    if lengths and plan.objective in ("kto", *REWARDED):
        lengths = lengths.single()
    rows = rows or (lengths.rows if lengths else None)
    if not rows:
        return Cost(each)
    low, high = _row_tokens(plan, mean_tokens, lengths)
    packed = max(1, math.ceil(rows * low / plan.max_length)) if plan.packing else None
    steps = steps_of(plan, rows, packed)
    seen = _rows_seen(plan, rows, packed)
    tokens = round(seen * low), round(seen * high)
    found = Cost(
        each,
        steps,
        tokens,
        round(seen * lengths.mean_trained(plan.max_length)) if lengths else None,
        data=lengths.words(plan.max_length) if lengths else "",
    )
    if tokens_per_second:
        own = tokens[0] if lengths else tokens[1]
        seconds = (0.9 * tokens[0] / tokens_per_second, 1.2 * own / tokens_per_second)
        return replace(found, seconds=seconds, basis=f"measured: {tokens_per_second:,.0f} tokens/s")
    low, high = card.efficiency
    each_slow = each * _UNPACKING[plan.quantization]
    device = card.device if card.device in _STEP else "cuda"
    layers = shape_of(bones).layers
    quick, slow = (
        steps * plan.gradient_accumulation_steps * (_STEP[device][i] + layers * _LAYER[device][i])
        for i in (0, 1)
    )
    passes = steps / plan.num_iterations * (plan.max_completion_length if plan.answers else 0)
    quick += passes * _ENDS_EARLY * _FORWARD * (_STEP[device][0] + layers * _LAYER[device][0])
    slow += passes * _FORWARD * (_STEP[device][1] + layers * _LAYER[device][1])
    best = max(tokens[0] * each_slow / (card.flops * high), quick)
    worst = tokens[1] * each_slow / (card.flops * low) + slow
    basis = (
        f"{each:.3g} operations a token at {100 * low:.0f} to {100 * high:.0f} % of "
        f"{card.flops / 1e12:,.3g} TFLOP/s"
    )
    if plan.answers:
        basis += f"; {plan.answers} answers a step, up to {plan.max_completion_length} tokens each"
    return replace(found, seconds=(best, worst), basis=basis)


def _row_tokens(
    plan: Plan, mean_tokens: float | None, lengths: Lengths | None
) -> tuple[float, float]:
    """Tokens a row, its sequences together: (its own, as a batch carries it)."""
    if lengths:
        low = lengths.mean(plan.max_length)
        batch = plan.per_device_train_batch_size
        return low, 1.05 * low if plan.packing else lengths.padded(plan.max_length, batch)
    longest = plan.max_length * (2 if plan.objective in PAIRED else 1)
    low = min(mean_tokens or longest / 4, longest)
    if not mean_tokens:
        return low, longest
    return low, min((1.1 if plan.packing else 1.6) * mean_tokens, longest)


def _rows_seen(plan: Plan, rows: int, packed: int | None) -> float:
    """Rows that pass through the model over the whole run; answers, where these are rewarded."""
    if plan.objective in REWARDED:
        return steps_of(plan, rows) * plan.answers
    if plan.max_steps <= 0:
        return rows * plan.num_train_epochs
    batch = plan.per_device_train_batch_size * plan.gradient_accumulation_steps
    return plan.max_steps * batch * (rows / packed if packed else 1)
