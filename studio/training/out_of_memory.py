"""What to report when memory ran out: the largest term, and the cheapest changes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from studio.core.errors import StudioError
from studio.runs.recipe import Recipe

_PLAIN = (
    "Halve per_device_train_batch_size and double gradient_accumulation_steps, turn on "
    "activation_checkpointing, or shorten max_length."
)


@dataclass(frozen=True)
class Exhausted:
    """A sentence for the user, and for the page the largest term and settings that help."""

    sentence: str
    term: str = ""
    changes: tuple[dict[str, Any], ...] = ()


def explain(recipe: Recipe, device: int | None = None) -> Exhausted:
    """Why a run ran out of memory, by the calculator's estimate; never raises a StudioError.

    `device` is the GPU it trained on, by the recipe's choice unless given.
    If the estimate fits, the device had less memory free than its size; then the changes are those
    that fit in 80, 60, or 40 % of the estimate.
    """
    start = "The device ran out of memory."
    try:
        from studio.calculator import estimate, suggestions
        from studio.calculator.gpus import this_machine
        from studio.core.formatting import bytes_text

        found = estimate(recipe, this_machine(recipe.device if device is None else device))
        terms = [term for term in found.memory.terms if term.name != "overhead"]
        largest = max(terms, key=lambda term: term.bytes)
        changes: dict[str, Any] = {}
        for share in (0.8, 0.6, 0.4):  # of what it was thought to take
            room = min(found.gpu.memory, int(share * found.memory.total))
            tight = estimate(recipe, replace(found.gpu, memory=room))
            changes |= {change.label: change for change in suggestions(tight, limit=3)}
    except StudioError:
        return Exhausted(f"{start} {_PLAIN}")
    message = (
        f"{start} The largest part is {largest.name}, about {bytes_text(largest.bytes)} of "
        f"{bytes_text(found.memory.total)} ({largest.formula})."
    )
    if not changes:
        return Exhausted(f"{message} {_PLAIN}", largest.name)
    cheapest = list(changes.values())[:3]
    ways = "; ".join(f"{change.words()} ({change.why})" for change in cheapest)
    settings = tuple({"label": change.label, **dict(change.settings)} for change in cheapest)
    return Exhausted(
        f"{message} Changes that help, cheapest first: {ways}.", largest.name, settings
    )
