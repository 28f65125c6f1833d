"""Watching a run takes its share of the time and no more, but for a first, middle and last one."""

from __future__ import annotations

import pytest

from studio import Studio
from studio.training.time_share import Pace
from tests.unit.training.conftest import small


def happened(cost: float, steps: int, every: int, fixed: bool = False) -> list[int]:
    """The steps at which something costing `cost` seconds happens in a run of 1 s a step."""
    pace = Pace(share=0.025, fixed=fixed)
    found: list[int] = []
    for step in range(steps + 1):
        scheduled = step % every == 0 or step == steps
        if scheduled and pace.due(step, steps, trained=float(step)):
            pace.took(step, cost)
            found.append(step)
    return found


@pytest.mark.parametrize(
    ("cost", "fixed", "steps"),
    [
        (0.0, False, [0, 20, 40, 60, 80, 100]),
        (0.4, False, [0, 20, 40, 60, 80, 100]),
        (0.55, False, [0, 20, 60, 100]),
        (30.0, False, [0, 60, 100]),
        (30.0, True, [0, 20, 40, 60, 80, 100]),
    ],
)
def test_what_costs_more_happens_less_often(cost: float, fixed: bool, steps: list[int]) -> None:
    assert happened(cost, 100, 20, fixed) == steps


@pytest.mark.parametrize("cost", [0.01, 0.1, 0.5, 1.0, 5.0])
def test_the_share_is_kept_beyond_the_first_three(cost: float) -> None:
    found = happened(cost, 1000, 10)
    assert found[0] == 0 and found[-1] == 1000 and 500 in found
    assert len(found) * cost <= max(3 * cost, 0.025 * 1000 + 1e-9)


def test_a_run_says_what_its_watching_took(studio: Studio) -> None:
    recipe = small("sft", "facts", max_steps=6, sample_steps=None, save_steps=None)
    run = studio.wait(studio.train(recipe).id)
    assert (run.state, run.error) == ("finished", None)
    kinds = ("time", "sample", "checkpoint")
    events = {kind: [one for one in run.events()[0] if one["kind"] == kind] for kind in kinds}
    (told,) = events["time"]
    assert told["samples"] > 0 and told["checkpoints"] > 0
    assert told["seconds"] >= told["samples"] + told["checkpoints"] + told["evaluation"]
    steps = {event["step"] for event in events["sample"]}
    assert {0, 6} <= steps and steps & {3, 4}
    assert {3, 4, 5} & {event["step"] for event in events["checkpoint"]}
