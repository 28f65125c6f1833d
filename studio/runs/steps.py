"""How many optimizer steps a recipe takes, and how many of them are warmup: computed only here."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from studio.core.formatting import plural
from studio.runs.objectives import OBJECTIVES

if TYPE_CHECKING:
    from studio.runs.recipe import Recipe

FEW_ROWS = 20


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
    row = OBJECTIVES[recipe.objective]
    if row.teacher:
        per_epoch = rows // per_step
    elif row.rewarded:
        prompts = max(1, per_step // recipe.num_generations)
        per_epoch = rows // prompts * recipe.num_iterations
    else:
        per_epoch = math.ceil(rows / per_step)
    return math.ceil(recipe.num_train_epochs * max(1, per_epoch))


def warmup_steps(recipe: Recipe, steps: int) -> int:
    """Steps of warmup in a run of `steps`: the recipe's, at most a tenth of the run.

    transformers rounds a fraction up, so that a run of one step would be all warmup, at a learning
    rate of 0.
    """
    asked = recipe.warmup_steps
    return min(math.ceil(asked * steps) if asked < 1 else int(asked), steps // 10)


def too_little(steps: int | None, rows: int | None) -> str | None:
    """A sentence on a run that is too short, or on too few rows, to change what a model does."""
    if steps == 1:
        return "One step changes little: train for more epochs, or on more rows."
    if rows is not None and rows < FEW_ROWS:
        return f"{plural(rows, 'row')} teach little: expect a change from about {FEW_ROWS} on."
    return None
