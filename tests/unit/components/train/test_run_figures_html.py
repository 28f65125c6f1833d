"""The figures of the run in view: tiles, and what watching it took."""

from __future__ import annotations

import pytest

from components.train import run_figures_html
from components.train.run_history import History
from tests.unit.components.finished_run import run


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
    tiles = run_figures_html.figures(run(state="running", live=True, eta_s=41.0), history)
    for said in ("0.5<span>held-out 0.6", "91.3 %", "2.1 GB", "0:41", "0.25"):
        assert said in tiles


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ([], None),
        ([{"seconds": 40.0, "samples": 0.0, "checkpoints": 0.0, "evaluation": 0.0}], None),
        (
            [{"seconds": 190.2, "samples": 12.1, "checkpoints": 2.0, "evaluation": 4.04}],
            "Sample answers took 12 s of 3 min 10 s, checkpoints 2.0 s, held-out loss 4.0 s",
        ),
        (
            [{"seconds": 60.0, "checkpoints": 6.0}, {"seconds": 8000.0, "checkpoints": 14.0}],
            "Checkpoints took 20 s of 2 h 14 min",
        ),
    ],
)
def test_an_ended_run_says_what_watching_it_took(events, said):
    history = History()
    history.add({"kind": "time", "step": 9, "time": 1.7e9, **event} for event in events)
    line = f'<p class="run-watched">{said}</p>' if said else ""
    assert run_figures_html.figures(run(), history) == line
    assert run_figures_html.figures(run(state="running", live=True), history) == ""
