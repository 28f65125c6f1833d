"""What measuring finds in a column: every row's value of every metric, or why there are none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from studio.core.device_errors import is_out_of_memory
from studio.core.errors import Cancelled, StudioError
from studio.models.pool import release_memory

Value = tuple[float, float] | None
"""A (total, weight) pair: a loss is summed over a row's trained tokens and weighs as many, the rest
weigh 1. None where a row has none."""
_NO_MEMORY = "The device ran out of memory here; score shorter rows, or fewer columns."


WRONG_KEPT = 32
"""Wrong answers kept of a column: enough to look for what they have in common."""


@dataclass
class Wrong:
    """Rows that a column answered wrongly by a metric: how many, and the first of them.

    Each of `rows` has `row`, `prompt` and `answer`; of a pair the answer is the rejected one that
    was likelier, and `against` the chosen one.
    """

    metric: str
    count: int = 0
    rows: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def add(self, row: int, prompt: Any, answer: str, **more: Any) -> None:
        self.count += 1
        if len(self.rows) < WRONG_KEPT:
            self.rows.append({"row": row, "prompt": prompt, "answer": answer, **more})


@dataclass
class Measured:
    """One column: values[metric][row], figures over all rows at once, or why there are none."""

    values: dict[str, list[Value]] = field(default_factory=dict)
    overall: dict[str, float | None] = field(default_factory=dict)
    pairs: list[tuple[float, float]] = field(default_factory=list)
    """Log-probabilities of (chosen, rejected) of every pair."""
    wrong: Wrong | None = None
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
