"""A run in which no weight moved says so; one that is too short does too."""

from __future__ import annotations

from types import SimpleNamespace

import torch

from studio import Studio
from studio.training.weight_change import WeightChange
from tests.unit.training.conftest import small


def begun(model: torch.nn.Module, divided: bool = False) -> tuple[WeightChange, SimpleNamespace]:
    change = WeightChange()
    change.on_train_begin(None, None, None, model=model)  # pyright: ignore[reportArgumentType]
    state = SimpleNamespace(global_step=3)
    trainer = SimpleNamespace(
        model=model, state=state, is_fsdp_enabled=divided, is_deepspeed_enabled=False
    )
    return change, trainer


def test_a_run_that_moved_nothing_is_told_apart_from_one_that_moved_one_weight() -> None:
    model = torch.nn.Linear(4, 4)
    model.bias.requires_grad_(False)
    change, trainer = begun(model)
    model.bias.data += 1.0  # frozen: not what was trained
    assert "no trained weight changed in 3 steps" in (change.warning(trainer) or "")
    model.weight.data[2, 3] += 1e-6
    assert change.warning(trainer) is None


def test_weights_divided_among_processes_are_not_judged() -> None:
    change, trainer = begun(torch.nn.Linear(4, 4), divided=True)
    assert change.warning(trainer) is None


def test_a_run_of_one_step_learns_and_is_said_to_be_short(studio: Studio) -> None:
    recipe = small("sft", "facts", max_steps=1, warmup_steps=0.05)
    run = studio.wait(studio.train(recipe).id)
    assert (run.state, run.error) == ("finished", None)
    [first] = [event for event in run.events()[0] if "learning_rate" in event]
    assert first["learning_rate"] > 0
    assert (run.warning or "").startswith("One step changes little")
