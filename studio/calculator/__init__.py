"""What a run will train, whether it fits, how long it takes: from a config, without weights.

Light to import; torch, transformers and PEFT load with the first model counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from studio.calculator.matrices import Matrix, matrix

if TYPE_CHECKING:
    from studio.calculator.advice import Change, suggestions
    from studio.calculator.dataset_lengths import Lengths, RowCount
    from studio.calculator.estimates import RunEstimate, estimate
    from studio.calculator.gpus import GPUS, Gpu, find_gpu

__all__ = [
    "GPUS",
    "Change",
    "Gpu",
    "Lengths",
    "Matrix",
    "RowCount",
    "RunEstimate",
    "estimate",
    "find_gpu",
    "matrix",
    "suggestions",
]

_HOMES = {
    "GPUS": "gpus",
    "Change": "advice",
    "Gpu": "gpus",
    "Lengths": "dataset_lengths",
    "RowCount": "dataset_lengths",
    "RunEstimate": "estimates",
    "estimate": "estimates",
    "find_gpu": "gpus",
    "suggestions": "advice",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"studio.calculator.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'studio.calculator' has no attribute {name!r}")
