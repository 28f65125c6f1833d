"""Planned optimizer steps against the trainers' own arithmetic."""

from __future__ import annotations

import math

import pytest

from studio.runs.launch_configs import share
from studio.runs.objectives import REWARDED
from studio.runs.recipe import Recipe
from studio.runs.steps import planned_steps, too_little, warmup_steps


def sft(**changes: object) -> Recipe:
    return Recipe.defaults("sft", **{"num_train_epochs": 1, **changes})


@pytest.mark.parametrize(
    ("rows", "batch", "accumulation", "epochs", "steps"),
    [
        (1000, 8, 1, 1, 125),
        (1001, 8, 1, 1, 126),  # the last batch is smaller, and is a step all the same
        (1000, 8, 4, 1, 32),
        (1000, 8, 4, 3, 96),
        (10, 4, 1, 0.5, 2),  # 1.5 steps: transformers rounds up
        (3, 8, 4, 2, 2),  # fewer rows than one step takes
    ],
)
def test_epochs_batches_and_accumulation(
    rows: int, batch: int, accumulation: int, epochs: float, steps: int
):
    recipe = sft(
        per_device_train_batch_size=batch,
        gradient_accumulation_steps=accumulation,
        num_train_epochs=epochs,
    )
    assert planned_steps(recipe, rows) == steps


def test_max_steps_wins_over_the_epochs():
    assert planned_steps(sft(max_steps=7, num_train_epochs=100), 10_000) == 7


def test_packing_is_bounded_by_the_unpacked_rows():
    recipe = sft(packing=True)
    assert planned_steps(recipe, 1000) == planned_steps(sft(), 1000)
    assert planned_steps(recipe, 250) == 32


@pytest.mark.parametrize("processes", [1, 2, 4, 8])
@pytest.mark.parametrize("rows", [1, 31, 32, 33, 1000])
def test_processes_divide_a_step_and_leave_their_number(processes: int, rows: int):
    recipe = sft(per_device_train_batch_size=8, gradient_accumulation_steps=4)
    own = share(recipe, processes)
    batches = math.ceil(rows / own["per_device_train_batch_size"])
    on_each = math.ceil(batches / processes)
    assert planned_steps(recipe, rows) == math.ceil(on_each / own["gradient_accumulation_steps"])


@pytest.mark.parametrize("objective", REWARDED)
def test_online_objectives_take_whole_groups(objective: str):
    recipe = Recipe.defaults(
        objective,
        per_device_train_batch_size=8,
        gradient_accumulation_steps=2,
        num_generations=4,
        num_train_epochs=1,
    )
    assert planned_steps(recipe, 100) == 25  # four prompts per step
    assert planned_steps(recipe, 103) == 25  # three prompts do not fill a step
    assert planned_steps(recipe.with_(num_iterations=2), 100) == 50
    assert planned_steps(recipe, 1) == 1


def test_the_trainer_plans_as_many_steps():
    from types import SimpleNamespace

    from transformers import Trainer

    for rows, epochs, accumulation in [(1000, 3, 4), (1001, 1.5, 2), (5, 0.3, 1), (33, 1.1, 1)]:
        recipe = sft(num_train_epochs=epochs, gradient_accumulation_steps=accumulation)
        batches = range(math.ceil(rows / recipe.per_device_train_batch_size))
        args = SimpleNamespace(
            gradient_accumulation_steps=accumulation, max_steps=-1, num_train_epochs=epochs
        )
        trainer = SimpleNamespace(
            get_total_train_batch_size=lambda _: 8, get_sp_size=lambda: 1, num_examples=len
        )
        *_, max_steps = Trainer.set_initial_training_values(trainer, args, batches)
        assert planned_steps(recipe, rows) == max_steps


@pytest.mark.parametrize(
    ("asked", "steps", "warmup"),
    [
        (0.05, 200, 10),
        (0.05, 1, 0),  # rounded up it would be the whole run, at a learning rate of 0
        (0.1, 24, 2),
        (15, 20, 2),
        (5, 1000, 5),
        (0.0, 50, 0),
    ],
)
def test_warmup_is_at_most_a_tenth_of_the_run(asked: float, steps: int, warmup: int):
    assert warmup_steps(sft(warmup_steps=asked), steps) == warmup


def test_what_is_too_little_to_learn_from_is_named():
    assert too_little(None, None) is None and too_little(200, 1800) is None
    assert "One step" in (too_little(1, 8) or "")
    assert "2 rows teach little" in (too_little(6, 2) or "")
