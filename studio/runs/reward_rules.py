"""What a recipe's rewards, groups and beta must satisfy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from studio.core.errors import StudioError
from studio.rewards import WeightedReward
from studio.runs.objectives import OBJECTIVES


def validation_errors(values: Any) -> Iterator[str]:
    """Why a recipe's rewards, groups and hold on the reference cannot be: sentences."""
    row = OBJECTIVES[values.objective]
    if not row.rewarded:
        if not values.beta:
            yield f"beta must be above 0 for {row.label}; only GRPO and RLOO can do without"
        return
    if values.reward_funcs:
        try:
            WeightedReward(values.reward_funcs, values.reward_weights)
        except StudioError as problem:
            yield str(problem).removesuffix(".")
    if values.accelerate_config != "single":
        yield f"{row.label} runs as one process here; leave accelerate_config at single"
    together = values.per_device_train_batch_size * values.gradient_accumulation_steps
    if together % values.num_generations:
        yield (
            f"a step has {together} answers (per_device_train_batch_size x "
            f"gradient_accumulation_steps), which num_generations {values.num_generations} does "
            "not divide into whole groups"
        )
