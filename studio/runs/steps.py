"""How many optimizer steps a recipe takes: computed here and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from studio.calculator.run_settings import Plan
    from studio.runs.recipe import Recipe


def planned_steps(recipe: Recipe | Plan, rows: int) -> int:
    """Optimizer steps over so many prompts: a step has whole groups of answers."""
    together = recipe.per_device_train_batch_size * recipe.gradient_accumulation_steps
    groups = max(1, together // recipe.num_generations)
    return max(1, round(rows // groups * recipe.num_iterations * recipe.num_train_epochs))
