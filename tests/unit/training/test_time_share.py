"""Watching a run takes its share of the time and no more, but for a first, middle and last one."""

from __future__ import annotations

import pytest
from datasets import Dataset, DatasetDict

from studio import Recipe, Studio
from studio.data import PrepareOptions
from studio.training.held_out import affordable, subset
from studio.training.time_share import SHARES, Pace
from tests.unit.training.conftest import sft_rows, small


def happened(cost: float, steps: int, every: int, fixed: bool = False) -> list[int]:
    """The steps at which something costing `cost` seconds happens in a run of 1 s a step."""
    pace = Pace(share=SHARES["samples"], fixed=fixed)
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
        (0.3, False, [0, 20, 40, 60, 80, 100]),
        (0.45, False, [0, 20, 60, 100]),
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
    assert len(found) * cost <= max(3 * cost, SHARES["samples"] * 1000 + 1e-9)


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


def test_a_short_run_evaluates_a_part_of_many_held_out_rows_and_says_which() -> None:
    recipe = Recipe.defaults("sft", dataset_name="mine", max_steps=40).with_(
        per_device_train_batch_size=8, gradient_accumulation_steps=1
    )
    most = affordable(recipe, 40)
    assert most == 32  # a fifth of a training row's time each: 2 % of 320 rows
    held = Dataset.from_dict({"row": list(range(110))})
    kept, said = subset(held, most)
    assert len(kept) == 32 and kept["row"][:3] == [0, 3, 6] and kept["row"][-1] == 106
    assert "32 of 110 held-out rows" in said
    assert subset(held, 110) == (held, "")


@pytest.mark.parametrize(
    ("objective", "changes", "most"),
    [
        ("sft", {"eval_steps": 5}, None),
        ("sft", {"load_best_model_at_end": True, "save_steps": 5}, None),
        ("grpo", {}, None),
        ("embedding", {}, None),
        ("sft", {"max_steps": 2}, 8),
        ("dpo", {"num_train_epochs": 3}, 80),
    ],
)
def test_chosen_evaluations_stay_whole(objective: str, changes: dict, most: int | None) -> None:
    recipe = Recipe.defaults(objective, dataset_name="mine", **changes).with_(
        per_device_train_batch_size=8, gradient_accumulation_steps=1
    )
    assert affordable(recipe, changes.get("max_steps", 300)) == most


def test_every_dataset_keeps_its_share_of_the_held_out_rows() -> None:
    sets = {"mine": Dataset.from_dict({"a": [0] * 90}), "other": Dataset.from_dict({"a": [1]})}
    kept, said = subset(DatasetDict(sets), 9)
    assert {name: len(rows) for name, rows in kept.items()} == {"mine": 9, "other": 1}
    assert "10 of 91" in said


def test_a_run_names_the_held_out_rows_that_it_evaluated(studio: Studio) -> None:
    half = PrepareOptions(test_fraction=0.5, dedupe=False)
    made = studio.datasets.from_rows(sft_rows(40), "prompt_completion", "halved", options=half)
    assert made.rows["test"] == 20
    run = studio.wait(studio.train(small("sft", made.id, max_steps=2)).id)
    notes = [event["message"] for event in run.events()[0] if event["kind"] == "note"]
    assert any("of 8 of 20 held-out rows" in note for note in notes), notes
