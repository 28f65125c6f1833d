"""An importance matrix: how strongly a run's rows use each input column of each linear layer.

llama.cpp's quantizers weight a column's rounding by the mean square of its input
(https://github.com/ggml-org/llama.cpp/blob/master/tools/imatrix/README.md). Here it is read from
the model before it is written, over the run's training rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch.utils.hooks import RemovableHandle

from studio.core.errors import ModelError
from studio.core.library_types import LanguageModel
from studio.exports import gguf_file

if TYPE_CHECKING:
    import numpy as np

ROWS = 128
_LEAST = 1e-6  # of a tensor's largest mean square: no column weighs nothing


def collect(
    model: LanguageModel, rows: list[list[int]], on_row: Callable[[int], None]
) -> dict[str, np.ndarray]:
    """The mean square of every linear layer's inputs over `rows`, float32 [columns], by GGUF name.

    The head is left out, as llama.cpp's own tool leaves it out. `on_row` is called with the number
    of each row before it is read, and may raise to stop. Raises `ModelError` without rows.
    """
    if not rows:
        raise ModelError(
            "An importance matrix is read from the run's training rows, and they are gone. "
            "Export without it."
        )
    sums, hooks = _watched(model)
    try:
        with torch.inference_mode():
            for number, ids in enumerate(rows):
                on_row(number)
                given = torch.tensor([ids], device=model.device)
                model(input_ids=given, attention_mask=torch.ones_like(given))
    finally:
        for hook in hooks:
            hook.remove()
    tokens = sum(map(len, rows))
    return {name: _weights(total / tokens) for name, total in sums.items()}


def _watched(model: Any) -> tuple[dict[str, torch.Tensor], list[RemovableHandle]]:
    """Sums of squares that grow with every forward pass, and the hooks that make them grow."""
    sums: dict[str, torch.Tensor] = {}
    hooks = []
    name_of = gguf_file.names(model)
    for path, module in model.named_modules():
        name = name_of(f"{path}.weight")
        if not isinstance(module, torch.nn.Linear) or name is None or name == "output.weight":
            continue
        sums[name] = torch.zeros(module.in_features, dtype=torch.float64)
        hooks.append(module.register_forward_pre_hook(_adding(sums, name)))
    return sums, hooks


def _adding(
    sums: dict[str, torch.Tensor], name: str
) -> Callable[[torch.nn.Module, tuple[torch.Tensor, ...]], None]:
    def add(module: torch.nn.Module, given: tuple[torch.Tensor, ...]) -> None:
        columns = given[0].reshape(-1, given[0].shape[-1])
        sums[name] += columns.float().square().sum(0).double().cpu()

    return add


def _weights(means: torch.Tensor) -> np.ndarray:
    largest = float(means.max())
    if not largest:
        return torch.ones_like(means).float().numpy()
    return means.clamp(min=largest * _LEAST).float().numpy()
