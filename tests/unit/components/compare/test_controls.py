"""Which models are compared by default."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from studio.workflows.comparisons import column_choices, usual_columns

EVIL = "<img src=x onerror=alert(1)>"


def run(**changes):
    values = {
        "id": "run-1", "name": EVIL, "state": "finished", "objective": "sft", "method": "lora",
        "model": EVIL, "step": 120, "total_steps": 120, "eta_s": None, "created": 0.0,
        "started": 1.0, "ended": 35.0, "train_seconds": 34.0, "parent": None,
        "data": {"name": EVIL, "rows": {"train": 1085}}, "metrics": {"loss": 0.41}, "error": None,
        "live": False, "checkpoints": Path("nowhere"),
    }  # fmt: skip
    return SimpleNamespace(**{**values, **changes})


def test_the_newest_run_stands_beside_its_own_base():
    assert usual_columns([]) == ("base:pocket", "")
    newest = run(model="other/model", id="run-9")
    assert usual_columns([newest, run()]) == ("base:other/model", "run:run-9")
    values = [value for _, value in column_choices([newest])]
    assert values == ["base:pocket", "base:other/model", "run:run-9"]
