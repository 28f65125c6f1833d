"""What a longer `max_length` costs and brings: memory by length, and the rows that need it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from studio.calculator.shifted_saving import shifted_saving
from studio.core import rope

if TYPE_CHECKING:
    from studio.calculator.dataset_lengths import Lengths
    from studio.calculator.estimates import RunEstimate
    from studio.calculator.workload import Workload

_LEAST, _STEPS = 128, 4  # tokens of the first length; doublings beyond the one in the recipe
_BINS = 32


@dataclass(frozen=True)
class LengthPoint:
    """A recipe at another `max_length`: bytes at the peak, `fits`, `tight` or `does not fit`, the
    share of a step's operations that shifted attention would save, and the share of rows that are
    longer, None where rows are not known."""

    max_length: int
    memory: int
    verdict: str
    shifted_saves: float
    rows_longer: float | None

    def as_dict(self) -> dict[str, Any]:
        return dict(vars(self))


@dataclass(frozen=True)
class RowLengths:
    """Rows by their longest sequence: `counts[i]` rows of `edges[i]` to `edges[i + 1]` tokens, the
    end not included, of `rows` that were measured. `reads`: the base's own context, None where it
    says none; `beyond`: the share of rows longer than that."""

    edges: tuple[int, ...]
    counts: tuple[int, ...]
    rows: int
    reads: int | None
    beyond: float | None

    def as_dict(self) -> dict[str, Any]:
        return dict(vars(self))


def by_length(found: RunEstimate, lengths: Lengths | None = None) -> list[LengthPoint]:
    """The estimate at doubled and halved lengths, the recipe's own among them."""
    from studio.calculator.estimates import estimate

    now = found.recipe.max_length
    longest = None if lengths is None else _longest(lengths)
    points: list[LengthPoint] = []
    for length in _candidates(now, base_context(found.work), longest):
        at = found if length == now else estimate(found.recipe.with_(max_length=length), found.gpu)
        longer = None if longest is None else float((longest > length).mean())
        saves = shifted_saving(at.work, length)
        points.append(LengthPoint(length, at.memory.total, at.verdict, saves, longer))
    return points


def _candidates(now: int, reads: int | None, longest: np.ndarray | None) -> list[int]:
    """Powers of two from a quarter of the shortest to beyond what the longest row needs."""
    top = max(now, reads or 0, int(longest.max()) if longest is not None else 0)
    first = max(_LEAST, min(now, reads or now) // 4)
    low, high = math.floor(math.log2(first)), math.ceil(math.log2(top)) + 1
    low = max(low, high - 2 * _STEPS)
    return sorted({now, *(1 << power for power in range(low, high + 1))})


def row_lengths(found: RunEstimate, lengths: Lengths) -> RowLengths:
    """A histogram of the training rows' lengths, and the share beyond the base's context."""
    longest, reads = _longest(lengths), base_context(found.work)
    width = max(1, -(-int(longest.max() + 1) // _BINS))
    edges = tuple(range(0, int(longest.max()) + width + 1, width))
    counts, _ = np.histogram(longest, edges)
    beyond = None if reads is None else float((longest > reads).mean())
    return RowLengths(edges, tuple(counts.tolist()), len(longest), reads, beyond)


def _longest(lengths: Lengths) -> np.ndarray:
    return lengths.size.max(axis=1)


def base_context(work: Workload) -> int | None:
    """Tokens that the base reads as it is, without the recipe's `rope_parameters`."""
    return rope.context(work.model.config.get_text_config())
