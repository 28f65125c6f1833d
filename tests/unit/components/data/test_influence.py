"""The Influence view: what it lists, and what it says where nothing can be asked."""

from __future__ import annotations

from pathlib import Path

import gradio as gr
import pytest

from components.data import influence
from components.data.influence import InfluenceHandlers
from components.data.influence_layout import NO_DATASET, NO_RUN
from components.data.open_sources import OpenSources, Subject
from components.data.preview_layout import preview_column
from components.data.row_browser import RowBrowser
from studio import Studio
from studio.core.errors import ConfigError
from studio.workflows.row_influence import Ranking
from tests.unit.training.conftest import sft_rows

EVIL = "<img src=x onerror=alert(1)>"
HELP = Ranking("run-1", "dataset-1", "help", (4, 0, 7), (-0.5, -0.1, 0.2))
ROWS = [
    {"row": 4, "score": -0.5, "prompt": EVIL, "answer": "A.", "dataset": EVIL, "stands_out": True}
]


@pytest.fixture
def view(tmp_path: Path) -> InfluenceHandlers:
    sources = OpenSources(Studio(tmp_path / "home"))
    with gr.Blocks():
        browser = RowBrowser(sources, preview_column([("pocket", "pocket")]))
        return InfluenceHandlers(sources, browser, gr.State(None))


def test_rows_are_escaped_counted_and_open_by_their_place():
    markup = influence.listed(EVIL, HELP, ROWS)
    assert "<img" not in markup and 'data-open="4"' in markup
    assert "2 of 3 rows pushed" in markup and "and 2 rows more" in markup
    own = Ranking("run-1", "dataset-1", "own", (4,), (1.0,))
    assert "learned least" in influence.listed("first", own, ROWS)


def test_the_largest_score_fills_its_bar():
    rows = [{**ROWS[0], "score": score} for score in (-3.5, -1.75)]
    markup = influence.listed("first", HELP, rows)
    assert "width:100%" in markup and "width:50%" in markup and "cosine" not in markup


def test_what_to_do_first_is_said(view: InfluenceHandlers):
    widgets = view.widgets
    assert view.opened(Subject(), None)[widgets.list] == NO_DATASET
    dataset = view.studio.datasets.from_rows(sft_rows(6), "prompt_completion", "facts")
    fresh = view.opened(Subject(dataset_id=dataset.id), HELP)
    assert fresh[widgets.list] == NO_RUN and fresh[view.found] is None
    [update] = view.weigh(Subject(dataset_id=dataset.id), "")
    assert "Open a prepared dataset that trained a run first" in update[widgets.progress]
    for act in (view.remove, view.keep, view.train):
        with pytest.raises(ConfigError, match="Weigh the rows first"):
            act(None, 1)


def test_a_ranking_of_this_dataset_stays_and_its_worst_rows_make_a_dataset(view, monkeypatch):
    dataset = view.studio.datasets.from_rows(sft_rows(6), "prompt_completion", "facts")
    monkeypatch.setattr(influence.row_influence, "runs_on", lambda studio, dataset: ["a run"])
    found = Ranking("run-1", dataset.id, "help", tuple(range(6)), (-0.1,) * 6)
    assert view.opened(Subject(dataset_id=dataset.id), found) == {view.widgets.said: ""}
    monkeypatch.setattr(view.studio.runs, "get", lambda name: type("Run", (), {"name": "first"}))
    said, (made, *_) = view.remove(found, 2)
    assert said == "" and view.studio.datasets.get(made).rows["train"] == 4
