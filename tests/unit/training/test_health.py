"""Health in plain words: each fault is told from made-up events, and healthy runs stay silent."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from studio import Studio
from studio.runs.recipe import presets
from studio.training.health import Watcher, findings
from tests.unit.training.conftest import small

RECORDED = Path(__file__).parent / "events"


def log(step: int, **values: float) -> dict:
    return {"kind": "log", "step": step, "time": float(step), **values}


def falling(steps: int = 100) -> list[dict]:
    """An ordinary SFT run: a noisy loss that falls."""
    return [
        log(step, loss=2 * math.exp(-step / 60) + 0.05 * math.sin(7 * step), grad_norm=0.5)
        for step in range(1, steps + 1)
    ]


def kinds(events: list[dict], **settings: object) -> list[str]:
    return [one.kind for one in findings(events, settings)]


# ---- silence ------------------------------------------------------------------------------------


@pytest.mark.parametrize("slug", ["pocket-sft", "pocket-dpo"])
def test_the_shipped_runs_are_healthy(slug: str):
    """Events recorded from these recipes, told after every one of them."""
    watcher = Watcher(presets()[slug].model_dump())
    for line in (RECORDED / f"{slug}.jsonl").read_text().splitlines():
        watcher.add(json.loads(line))
        assert watcher.findings() == []
    assert watcher.points > 10


def test_a_noisy_run_that_learns_is_healthy():
    assert kinds(falling(400)) == []


def test_a_run_of_a_few_steps_is_left_in_peace():
    assert kinds([log(step, loss=2.0, grad_norm=3.0) for step in range(1, 10)]) == []


# ---- faults -------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_numbers_that_overflow(value: float):
    found = findings([*falling(30), log(31, loss=value)], {"dtype": "float16"})
    assert [(one.kind, one.level, one.step) for one in found] == [("nan", "danger", 31)]
    assert "bfloat16" in found[0].change


def test_a_gradient_that_overflows():
    assert kinds([*falling(30), log(31, loss=1.0, grad_norm=math.nan)]) == ["nan"]


def test_a_spike_is_told_and_forgotten_once_it_is_over():
    events = falling(60)
    spiked = [*events, log(61, loss=6.0), log(62, loss=5.0)]
    [found] = findings(spiked, {"learning_rate": 2e-4})
    assert (found.kind, found.step) == ("spike", 61)
    assert "0.0002 to 0.0001" in found.change
    assert kinds(spiked + [log(step, loss=0.7) for step in range(63, 70)]) == []


def test_every_token_masked():
    assert kinds([log(step, loss=0.0, grad_norm=0.0) for step in range(1, 6)]) == ["masked"]


def test_a_loss_that_reaches_zero_was_learned_not_masked():
    events = [log(step, loss=max(0.0, 1 - step / 20), grad_norm=0.1) for step in range(1, 60)]
    assert "masked" not in kinds(events)


@pytest.mark.parametrize(("used", "level"), [(1, "danger"), (20, "warn")])
def test_rows_that_do_not_fit(used: int, level: str):
    events = [{"kind": "rows", "used": used, "given": 24, "max_length": 256}, log(1, loss=0.7)]
    [found] = findings(events, {"objective": "reward"})
    assert (found.kind, found.level) == ("left_out", level)
    assert f"{24 - used} of 24 rows" in found.title and "256" in found.means


@pytest.mark.parametrize(("refused", "level"), [(20, "danger"), (1, "warn")])
def test_chats_that_the_template_refuses_or_changes(refused: int, level: str):
    event = {
        **{"kind": "chats", "split": "test", "given": 24, "refused": refused, "changed": 3},
        **{"refused_first": "Row 2: No system turn.", "changed_first": "Row 5: Turn 2 differs."},
    }
    left, changed = findings([event, log(1, loss=0.7)], {"objective": "sft"})
    assert (left.kind, left.level) == ("chats_refused", level)
    assert f"{refused} of 24 held-out rows" in left.title and "No system turn" in left.means
    assert (changed.kind, changed.level) == ("chats_changed", "warn")
    assert "In 3 of 24 held-out rows" in changed.title and "Row 5" in changed.means


def test_learning_nothing():
    flat = [log(step, loss=2.0 + 0.1 * math.sin(5 * step), grad_norm=0.1) for step in range(1, 60)]
    assert kinds(flat) == ["nothing"]
    undecided = [
        log(step, loss=0.693, **{"rewards/margins": 0.0, "rewards/accuracies": 0.5})
        for step in range(1, 60)
    ]
    assert kinds(undecided, beta=0.1) == ["nothing"]


def test_no_gradient_at_all():
    [found] = findings([log(step, loss=2.0, grad_norm=0.0) for step in range(1, 60)])
    assert (found.kind, found.level) == ("nothing", "danger")


def test_memorising():
    events = []
    for step in range(1, 101):
        events.append(log(step, loss=2.0 * math.exp(-step / 40), grad_norm=0.5))
        if step % 20 == 0:
            events.append(log(step, eval_loss=1.0 + abs(step - 40) / 200))
    [found] = findings(events)
    assert (found.kind, found.step) == ("memorising", 40)
    assert "step 40" in found.change


def test_an_evaluation_that_wavers_is_no_memorising():
    events = falling(100)
    events += [log(step, eval_loss=0.5 + 0.004 * (step % 2)) for step in range(101, 110)]
    assert kinds(events) == []


def preferring(chosen: float, margin: float, accuracy: float = 1.0) -> list[dict]:
    """A preference run whose rewards drift steadily to these ends."""
    return [
        log(
            step,
            loss=0.69 * math.exp(-step / 20),
            grad_norm=0.5,
            **{
                "rewards/chosen": chosen * step / 60,
                "rewards/margins": margin * step / 60,
                "rewards/accuracies": accuracy,
            },
        )
        for step in range(1, 61)
    ]


def test_chosen_answers_that_fall_while_accuracy_reads_one():
    [found] = findings(preferring(-6.0, 4.0), {"beta": 0.1, "learning_rate": 5e-5})
    assert found.kind == "collapse" and "100 %" in found.title
    assert kinds(preferring(1.0, 4.0), beta=0.1) == []
    assert kinds(preferring(-6.0, 4.0, accuracy=0.7), beta=0.1) == []


def test_margins_that_explode():
    assert kinds(preferring(2.0, 40.0), beta=0.1) == ["margins"]


def test_clipping_at_every_step():
    events = [{**event, "grad_norm": 9.0} for event in falling(60)]
    [found] = findings(events, {"max_grad_norm": 1.0})
    assert (found.kind, found.level) == ("clipped", "info")
    assert kinds(events, max_grad_norm=0.0) == []  # 0 turns clipping off


def test_throughput_that_falls():
    events, now = falling(80), 0.0
    for number, event in enumerate(events):
        now += 1.0 if number < 50 else 4.0
        event |= {"time": now, "num_tokens": 1000.0 * number}
    [found] = findings(events)
    assert found.kind == "slow" and "250 tokens/s" in found.title


def test_a_pause_between_two_sittings_is_no_slowness():
    events = falling(60)
    for number, event in enumerate(events):
        event |= {"time": number + (9000.0 if number > 30 else 0.0), "num_tokens": 1e3 * number}
    events.insert(31, {"kind": "resume", "step": 31})
    assert kinds(events) == []


def test_worst_comes_first():
    events = [{**event, "grad_norm": 9.0} for event in falling(60)]
    found = findings([*events, log(61, loss=9.0)], {"max_grad_norm": 1.0})
    assert [one.level for one in found] == ["warn", "info"]


# ---- for real -----------------------------------------------------------------------------------


def test_a_run_whose_rate_is_far_too_low_is_told(studio: Studio):
    """A real run of the built-in model, broken on purpose."""
    recipe = small("sft", "facts", max_steps=44, learning_rate=1e-8, per_device_train_batch_size=2)
    run = studio.wait(studio.train(recipe.with_(save_steps=44, logging_steps=1)).id)
    found = {one.kind: one for one in findings(run.events()[0], recipe.model_dump())}
    assert "learning_rate (from 1e-08 to 5e-08)" in found["nothing"].change, found
