"""The panel of the run in view: tiles, health and sample answers."""

from __future__ import annotations

from components.train import run_panel_html
from components.train.run_history import History
from tests.unit.components.finished_run import run


def test_an_answer_that_stays_is_told_once():
    steps = [{"step": step, "answer": "same"} for step in (0, 10, 20)]
    told = run_panel_html.stretches([*steps, {"step": 30, "answer": "new"}])
    assert told == [("steps 0\N{EN DASH}20", "same"), ("step 30", "new")]


def test_answers_of_several_runs_stand_beside_each_other():
    told = {
        name: [{"step": 9, "prompt": "Who?", "answer": f"I am {name}."}] for name in ("one", "two")
    }
    markup = run_panel_html.samples(told)
    assert markup.index("I am one.") < markup.index("I am two.")
    alone = run_panel_html.samples({**told, "three": []})
    assert "one column per run" in alone


def test_a_healthy_run_has_no_card():
    assert run_panel_html.health([]) == ""


def test_the_latest_measurements_stand_in_tiles():
    history = History()
    history.add(
        [
            {
                "kind": "log",
                "step": 5,
                "time": 1.0,
                "loss": 0.5,
                "mean_token_accuracy": 0.9131,
                "memory": 2.1e9,
                "epoch": 0.25,
            },
            {"kind": "log", "step": 5, "time": 1.0, "eval_loss": 0.6},
        ]
    )
    tiles = run_panel_html.figures(run(state="running", live=True, eta_s=41.0), history)
    for said in ("0.5<span>held-out 0.6", "91.3 %", "2.1 GB", "0:41", "0.25"):
        assert said in tiles
