"""The panel of the run in view: health and sample answers."""

from __future__ import annotations

from components.train import run_panel_html


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
