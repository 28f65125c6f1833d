"""The guided tour: each step follows from what the workspace holds."""

from __future__ import annotations

from types import SimpleNamespace

from components.page import guided_tour


def run(**values):
    usual = {
        "id": "r",
        "name": "pocket-sft",
        "state": "finished",
        "live": False,
        "error": None,
        "step": 1,
        "total_steps": 2,
        "eta_s": None,
        "train_seconds": 30.0,
    }
    return SimpleNamespace(**{**usual, **values})


def test_the_tour_goes_step_by_step():
    data, project = SimpleNamespace(rows={"train": 10}), SimpleNamespace(id="p")
    live = run(state="running", live=True)
    tours = [
        guided_tour.Tour("w"),
        guided_tour.Tour("w", data),
        guided_tour.Tour("w", data, live),
        guided_tour.Tour("w", data, run()),
        guided_tour.Tour("w", data, run(), compared=1),
        guided_tour.Tour("w", data, run(), project, votes=3, compared=1),
        guided_tour.Tour("w", data, run(), project, votes=4, compared=1),
        guided_tour.Tour("w", data, run(), project, 4, live, 1),
        guided_tour.Tour("w", data, run(), project, 4, run(), 1),
        guided_tour.Tour("w", data, run(), project, 4, run(), 2),
    ]
    states = [guided_tour.state(tour) for tour in tours]
    assert [state.step for state in states] == [0, 1, 1, 2, 2, 3, 4, 4, 5, 5]
    assert [bool(state.action) for state in states] == [
        False,
        True,
        False,
        True,
        True,
        False,
        True,
        False,
        True,
        True,
    ]
    assert states[-1].finished
    assert {state for _, state in states[-1].steps()} == {"done"}


def test_a_failed_run_is_said_and_can_be_resumed():
    failed = run(state="failed", error="The disk is full.")
    state = guided_tour.state(guided_tour.Tour("w", SimpleNamespace(rows={}), failed))
    assert "The disk is full." in state.note
    assert state.action == "Resume run"
