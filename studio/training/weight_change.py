"""Whether training changed any weight: a run in which none moved must not look like a success."""

from __future__ import annotations

from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from studio.core.formatting import plural
from studio.core.library_types import Trainer


class WeightChange(TrainerCallback):
    """Keeps one number for each trained tensor as training begins, and compares them at the end.

    Weights divided among processes (FSDP, DeepSpeed) are not compared: no process holds them.
    """

    def __init__(self) -> None:
        self._before: dict[str, float] = {}

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._before = _sums(kwargs["model"])

    def warning(self, trainer: Trainer) -> str | None:
        """What to tell of a run in which no weight changed; None where one did."""
        if trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled or not self._before:
            return None
        if _sums(trainer.model) != self._before:
            return None
        steps = plural(trainer.state.global_step, "step")
        return (
            f"Nothing was learned: no trained weight changed in {steps}. "
            "Raise learning_rate, lower warmup_steps or train for more steps."
        )


def _sums(model: Any) -> dict[str, float]:
    return {
        name: tensor.detach().sum(dtype=torch.float64).item()
        for name, tensor in model.named_parameters()
        if tensor.requires_grad and not tensor.is_meta
    }
