"""What shifted sparse attention saves of a step, and from which length."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from studio.calculator.workload import Workload

SHARE = 0.1
"""Of a step's operations: what it has to save to be worth naming."""


def shifted_saving(work: Workload, length: int) -> float:
    """The share of a step's operations that shifted attention saves at a length.

    A token takes two operations for each weight of its layer, and with causal attention on average
    two for each number of the queries' width and each token of the length; in groups of a quarter
    of the length it is a quarter of that.
    """
    attention = length * work.shape.query
    return 0.75 * attention / (_weights(work) + attention)


def shifted_from(work: Workload) -> int:
    """The length from which shifted attention saves a tenth of a step's operations."""
    least = SHARE * _weights(work) / ((0.75 - SHARE) * work.shape.query)
    return max(100, int(round(least, -2)))


def _weights(work: Workload) -> float:
    """Of a layer."""
    shape = work.shape
    return max(1, work.counted.total - shape.vocab * shape.hidden) / shape.layers
