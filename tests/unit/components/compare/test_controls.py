"""Which models are compared by default, and how they answer."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import gradio as gr

from components.compare.controls import Controls
from studio import Studio
from studio.workflows.comparisons import column_choices, usual_columns
from tests.unit.components.finished_run import run


def test_the_newest_run_stands_beside_its_own_base():
    assert usual_columns([]) == ("base:pocket", "")
    newest = run(model="other/model", id="run-9")
    assert usual_columns([newest, run()]) == ("base:other/model", "run:run-9")
    values = [value for _, value in column_choices([newest])]
    assert values == ["base:pocket", "base:other/model", "run:run-9"]


def test_the_static_cache_is_a_choice(tmp_path: Path) -> None:
    studio = Studio(tmp_path)
    with gr.Blocks():
        left = Controls(studio, SimpleNamespace())
        left.lay_out()
    given = {widget: widget.value for widget in left.inputs}
    assert left.sampling(given).cache_implementation == "dynamic"
    assert left.sampling(given | {left.static: True}).cache_implementation == "static"
    studio.close()
