"""Headline, outcome, queue and list of runs: text is always escaped."""

from __future__ import annotations

from components.train import run_list_html, run_panel_html
from components.train.run_history import History
from studio.training.health import Finding
from tests.unit.components.finished_run import EVIL, run


def test_the_end_of_a_run_in_one_sentence():
    said = run_list_html.outcome(run(), History())
    assert "Finished: loss 0.41 after 120 steps in 0:34." in said
    assert "notice-good" in said
    short = run_list_html.outcome(run(warning=f"Too short {EVIL}."), History())
    assert "notice-warn" in short and "Too short" in short and EVIL not in short
    for little in (run(step=1), run(data={"rows": {"train": 19}})):
        assert "notice-warn" in run_list_html.outcome(little, History())
    failed = run_list_html.outcome(run(state="failed", error=f"broke {EVIL}"), History())
    assert "broke" in failed and EVIL not in failed
    assert "from step 80" in run_list_html.outcome(run(state="interrupted"), History(), 80)
    assert run_list_html.outcome(run(state="running"), History()) == ""


def test_runs_escape_their_names():
    finding = Finding("nan", "danger", 3, EVIL, EVIL, EVIL)
    for markup in (
        run_list_html.headline(run()),
        run_list_html.progress(run(), History()),
        run_list_html.runs_list([run(parent="run-0")], "run-1"),
        run_list_html.queue_list([run(state="queued")]),
        run_panel_html.samples({EVIL: [{"step": 0, "number": 0, "prompt": EVIL, "answer": EVIL}]}),
        run_panel_html.health([finding]),
        run_panel_html.stage(EVIL, [EVIL]),
    ):
        assert "<img" not in markup
