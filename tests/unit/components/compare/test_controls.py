"""Which models are compared by default, and how they answer."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import pytest

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


def test_a_prompt_sent_before_the_lists_are_shown_goes_to_the_runs_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another tab opens Compare; who types at once still has the former lists on the page."""
    studio = Studio(tmp_path)
    with gr.Blocks():
        left = Controls(studio, SimpleNamespace())
        left.lay_out()
    monkeypatch.setattr(studio.runs, "get", lambda id: run(model="pocket", id=id))
    wanted = {"runs": ("run-7",), "prompt": "", "asked": 1.0}
    given = {widget: widget.value for widget in left.inputs}
    former = left.columns(given)
    assert "run:run-7" not in former
    assert left.columns(given | {left.opening: wanted})[:2] == ["base:pocket", "run:run-7"]
    assert left.columns(given | {left.opening: wanted, left.taken: wanted}) == former
    studio.close()


def test_the_page_says_when_it_shows_the_runs_asked_for(tmp_path: Path) -> None:
    """Else what a person chooses afterwards would be overruled forever."""
    studio = Studio(tmp_path)
    with gr.Blocks() as page:
        left = Controls(studio, SimpleNamespace(status=gr.HTML()))
        left.lay_out()
        left.bind(gr.State(None))
    (shown,) = [
        fn
        for fn in page.fns.values()
        if fn.outputs == [*left.choices, left.more] and fn.inputs == [left.opening]
    ]
    (last,) = [fn for fn in page.fns.values() if fn.outputs == [left.taken]]
    assert last.inputs == [left.opening] and last.trigger_after == shown._id
    studio.close()
