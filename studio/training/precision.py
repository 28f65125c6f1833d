"""Number formats while training: what is multiplied in 16 bits, and what is kept in 32.

A weight in bfloat16 has 8 significant bits: an update below 1/256 of it is rounded away, and at the
usual learning rates most are. So every trained tensor is held in float32, and the products run
under autocast in the format of the base's weights.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers.utils import is_torch_tf32_available

from studio.core.errors import TrainingError
from studio.models import loading
from studio.runs.recipe import Recipe

_HALF = (torch.bfloat16, torch.float16)


def training_arguments(recipe: Recipe) -> dict[str, Any]:
    """`bf16`, `fp16`, `tf32` and `use_cpu` of TRL's configs, for this machine.

    Raises `TrainingError` where this machine lacks the autocast that training needs.
    """
    on_cpu = loading.device().type == "cpu"
    dtype = loading.weights_dtype(recipe.dtype)
    beside = recipe.objective == "reward" or recipe.method == "last_layers"
    beside = beside or recipe.train_embeddings_and_norms or bool(recipe.lora_modules_to_save)
    if on_cpu and dtype is torch.float16 and beside:
        raise TrainingError(
            "A CPU has no float16 autocast, which float32 layers after float16 ones need; set "
            "dtype: bfloat16 or float32."
        )
    return {
        "use_cpu": on_cpu,
        "bf16": dtype is torch.bfloat16,
        "fp16": dtype is torch.float16 and not on_cpu,
        # None leaves it as it is: cards before Ampere, and those of AMD, have no TF32.
        "tf32": is_torch_tf32_available() or None,
    }


def keep_trained_in_float32(model: Any) -> None:
    """Widen every trained tensor; frozen ones, which the resident base may share, stay."""
    for tensor in model.parameters():
        if tensor.requires_grad and tensor.dtype in _HALF:
            tensor.data = tensor.data.float()
