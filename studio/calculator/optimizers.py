"""Bytes of optimizer state, by transformers' name for the optimizer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Optimizer:
    """`moments` numbers per parameter at `width` bytes each (0: the parameter's own width).

    8-bit states keep float32 for tensors under 4,096 numbers and one float32 per block of 256.
    """

    moments: int
    width: int = 0
    paged: bool = False
    factored: bool = False

    def state(self, numbers: int, width: int, shape: tuple[int, ...] = ()) -> int:
        """Bytes for one tensor of `numbers` parameters of `width` bytes each."""
        if self.factored and len(shape) > 1:
            return 4 * (numbers // shape[-1] + numbers // shape[-2])
        if self.width == 1:
            if numbers < 4096:
                return self.moments * 4 * numbers
            return self.moments * (numbers + 4 * -(-numbers // 256))
        return self.moments * (self.width or width) * numbers


_TABLE: dict[str, Optimizer] = {
    "adamw_torch": Optimizer(2),
    "adamw_torch_fused": Optimizer(2),
    "adamw_anyprecision": Optimizer(2),
    "adamw_bnb_8bit": Optimizer(2, 1),
    "adamw_8bit": Optimizer(2, 1),
    "adamw_torch_8bit": Optimizer(2, 1),
    "paged_adamw": Optimizer(2, 4, paged=True),
    "paged_adamw_32bit": Optimizer(2, 4, paged=True),
    "paged_adamw_8bit": Optimizer(2, 1, paged=True),
    "ademamix": Optimizer(3, 4),
    "ademamix_8bit": Optimizer(3, 1),
    "paged_ademamix_32bit": Optimizer(3, 4, paged=True),
    "paged_ademamix_8bit": Optimizer(3, 1, paged=True),
    "lion_32bit": Optimizer(1, 4),
    "lion_8bit": Optimizer(1, 1),
    "paged_lion_32bit": Optimizer(1, 4, paged=True),
    "paged_lion_8bit": Optimizer(1, 1, paged=True),
    "rmsprop": Optimizer(1),
    "rmsprop_bnb": Optimizer(1, 4),
    "rmsprop_bnb_32bit": Optimizer(1, 4),
    "rmsprop_bnb_8bit": Optimizer(1, 1),
    "adagrad": Optimizer(1),
    "adafactor": Optimizer(1, 4, factored=True),
    "sgd": Optimizer(0),
    "schedule_free_adamw": Optimizer(2),
    "stable_adamw": Optimizer(2),
}


def find_optimizer(name: str) -> tuple[Optimizer, str]:
    """The optimizer and, for one without an entry here, a note that it was counted as AdamW."""
    if name in _TABLE:
        return _TABLE[name], ""
    return Optimizer(2, 4), f"{name} is not in the calculator's table: counted as 32-bit AdamW."


def state_bytes(
    optimizer: Optimizer, tensors: Iterable[tuple[int, tuple[int, ...], int]], width: int
) -> int:
    """Bytes of state for tensors as (numbers in each, shape, how many)."""
    return sum(optimizer.state(n, width, shape) * copies for n, shape, copies in tensors)
