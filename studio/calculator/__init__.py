"""What a run will train, whether it fits, how long it takes: from a config, without weights.

Light to import; torch, transformers and PEFT load with the first model counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from studio.calculator.matrices import Matrix, matrix

if TYPE_CHECKING:
    from studio.calculator.advice import Change, suggestions
    from studio.calculator.estimates import RunEstimate, estimate, estimate_recipe
    from studio.calculator.gpus import CARDS, Card

__all__ = [
    "CARDS",
    "Card",
    "Change",
    "Matrix",
    "RunEstimate",
    "estimate",
    "estimate_recipe",
    "matrix",
    "suggestions",
]

_HOMES = {
    "CARDS": "gpus",
    "Card": "gpus",
    "Change": "advice",
    "RunEstimate": "estimates",
    "estimate_recipe": "estimates",
    "suggestions": "advice",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"studio.calculator.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'studio.calculator' has no attribute {name!r}")


def estimate(model: Any, **settings: Any) -> RunEstimate:
    """See `studio.calculator.estimates.estimate`."""
    from studio.calculator.estimates import estimate as of

    return of(model, **settings)
