"""Rows behind wrong answers: what is offered, listed, and refused."""

from __future__ import annotations

from pathlib import Path

import gradio as gr
import pytest

from components.compare import errors_panel
from components.compare.errors_panel import ErrorsPanel
from studio import Studio
from studio.core.errors import ConfigError

EVIL = "<img src=x onerror=alert(1)>"
ROW = {
    **{"score": 0.8, "dataset": EVIL, "dataset_id": "dataset-1", "row": 4, "prompt": EVIL},
    **{"answer": "A.", "shared": [], "stands_out": True, "questions": 3, "total": 1.5},
}
WRONG = {"metric": "exact_match", "count": 40, "rows": [{"row": 0, "prompt": [], "answer": "A."}]}


@pytest.fixture
def panel(tmp_path: Path) -> ErrorsPanel:
    with gr.Blocks():
        made = ErrorsPanel(Studio(tmp_path / "home"))
        made.lay_out()
    return made


def column(run: str | None, wrong: object) -> dict:
    return {"label": "first", "run": run, "wrong": wrong}


def test_only_runs_that_answered_wrongly_are_offered(panel: ErrorsPanel):
    columns = [
        column(None, None),
        column("run-1", WRONG),
        column("run-2", {**WRONG, "count": 0}),
        column("run-3", None),  # its metrics know no right and wrong
    ]
    box, which, *rest = panel.offered({"columns": columns})
    assert box["visible"] and which["choices"] == [("first: 40 wrong answers", 1)]
    assert rest[0] == rest[1] == "" and rest[-1] is None
    assert not panel.offered(None)[0]["visible"]


def test_rows_behind_several_errors_are_listed_with_how_many():
    own = {"behind": [ROW], "for": [ROW], "said": ""}
    markup = errors_panel.listed(own, errors_panel.behind(own, 32), 32, 40)
    assert "<img" not in markup and "behind 3 of 32" in markup and "+0.50" in markup
    assert "1 row behind 32 wrong answers (of 40)" in markup
    [alone] = errors_panel.behind({"for": [ROW, {**ROW, "stands_out": False}]}, 1)
    assert (alone["questions"], alone["total"]) == (1, 0.8)
    assert "No row stands out" in errors_panel.listed({"behind": []}, [], 2, 2)


def test_what_to_do_first_is_said(panel: ErrorsPanel):
    [update] = panel.ask(None, None)
    assert "Score a run on rows with reference answers first" in update[panel.progress]
    assert update[panel.found] is None and not update[panel.leaving]["visible"]  # of before
    with pytest.raises(ConfigError, match="Find the rows first"):
        panel.queue(None, [])
