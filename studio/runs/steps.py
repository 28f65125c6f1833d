"""How many optimizer steps a recipe takes: computed here and nowhere else."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from studio.runs.objectives import OBJECTIVES

if TYPE_CHECKING:
    from studio.runs.recipe import Recipe


def planned_steps(recipe: Recipe, rows: int) -> int:
    """Optimizer steps over `rows` training rows, as transformers' `Trainer` plans them.

    With packing, `rows` are packed rows where their number is known; the number of unpacked rows
    gives an upper bound. Several processes divide a step's rows among them
    (`launch_configs.share`), so their number does not change the count. An online objective takes
    whole groups of completions per step, so prompts that do not fill a last step are left out
    (TRL's `RepeatSampler`).
    """
    if recipe.max_steps > 0:
        return recipe.max_steps
    per_step = recipe.per_device_train_batch_size * recipe.gradient_accumulation_steps
    if OBJECTIVES[recipe.objective].rewarded:
        prompts = max(1, per_step // recipe.num_generations)
        per_epoch = rows // prompts * recipe.num_iterations
    else:
        per_epoch = math.ceil(rows / per_step)
    return math.ceil(recipe.num_train_epochs * max(1, per_epoch))
