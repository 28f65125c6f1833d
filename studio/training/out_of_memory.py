"""What to say when memory ran out: which term it was, and the cheapest changes. Light."""

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
    """A sentence for a person, and the same for the page: the term, and settings that help."""

    sentence: str
    term: str = ""
    changes: tuple[dict[str, Any], ...] = ()


def explain(recipe: Recipe) -> Exhausted:
    """Why a recipe's run had no room, by the calculator's terms; never raises a StudioError.

    The estimate may have said that it fits: then the device had less to give than its size, and
    the changes are those that would fit in a fifth less, or in less still.
    """
    start = "The device ran out of memory."
    try:
        from studio.calculator import estimate_recipe, suggestions
        from studio.calculator.estimates import re_estimate
        from studio.calculator.formatting import size

        found = estimate_recipe(recipe)
        terms = [term for term in found.memory.terms if term.name != "overhead"]
        largest = max(terms, key=lambda term: term.bytes)
        changes: dict[str, Any] = {}
        for share in (0.8, 0.6, 0.4):  # of what it was thought to take
            room = min(found.card.memory, int(share * found.memory.total))
            tight = re_estimate(found, card=replace(found.card, memory=room))
            changes |= {change.label: change for change in suggestions(tight, limit=3)}
    except StudioError:
        return Exhausted(f"{start} {_PLAIN}")
    said = (
        f"{start} The largest part is {largest.name}, about {size(largest.bytes)} of "
        f"{size(found.memory.total)} ({largest.formula})."
    )
    if not changes:
        return Exhausted(f"{said} {_PLAIN}", largest.name)
    cheapest = list(changes.values())[:3]
    ways = "; ".join(f"{change.words()} ({change.why})" for change in cheapest)
    settings = tuple({"label": change.label, **dict(change.settings)} for change in cheapest)
    return Exhausted(f"{said} What would help, cheapest first: {ways}.", largest.name, settings)
