"""What measuring finds in a column: every row's value of every metric, or why there are none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from studio.core.device_errors import is_out_of_memory
from studio.core.errors import Cancelled, StudioError
from studio.models.pool import release_memory

Value = tuple[float, float] | None
"""A (total, weight) pair: a loss is summed over a row's trained tokens and weighs as many, the rest
weigh 1. None where a row has none."""
_NO_MEMORY = "The device ran out of memory here; score shorter rows, or fewer columns."


@dataclass
class Measured:
    """One column: values[metric][row], figures over all rows at once, or why there are none."""

    values: dict[str, list[Value]] = field(default_factory=dict)
    overall: dict[str, float | None] = field(default_factory=dict)
    pairs: list[tuple[float, float]] = field(default_factory=list)
    """Log-probabilities of (chosen, rejected) of every pair."""
    error: str | None = None


def in_column(column: Measured, work: Callable[[], None]) -> None:
    """A fault in one column stays there."""
    try:
        work()
    except Cancelled:
        raise
    except StudioError as error:
        column.error = str(error)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        column.error = _NO_MEMORY
        release_memory()
