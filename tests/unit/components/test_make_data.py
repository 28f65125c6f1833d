"""Make data on the page: a plan from the fields, progress with counts, and what is unfinished."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from components.data.make_data import MakeData
from studio import Studio
from tests.unit.workflows.test_self_instruct import Models

SEEDS = "What does a baker make?\n\n Who lives in the mill? "
FIELDS = ("", SEEDS, None, "base:writer", ["base:good"], "", 5, "mine", False)


@pytest.fixture
def fold(home: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    studio = Studio(home)
    monkeypatch.setattr(studio, "generate", Models())
    fold = MakeData(studio)
    with gr.Blocks():
        fold.lay_out()
        fold.bind(gr.State(None))
    yield fold
    studio.close()


def test_what_is_made_is_shown_with_its_counts(fold: MakeData) -> None:
    last = list(fold.begin("", *FIELDS))[-1]
    assert "5 of 16 proposals kept" in last[fold.progress]
    made = fold.studio.datasets.get(last[fold.opening][0])
    assert (made.name, made.rows) == ("mine", {"train": 5})
    assert made.provenance["plan"]["seeds"] == ["What does a baker make?", "Who lives in the mill?"]


def test_what_cannot_begin_is_said_and_what_stopped_is_offered(fold: MakeData) -> None:
    [only] = fold.begin("", "", "", *FIELDS[2:])
    assert "seed tasks, documents, or a topic" in only[fold.progress]
    running = fold.begin("", *FIELDS[:6], 5000, *FIELDS[7:])
    next(running)
    running.close()  # as Gradio does where Stop cancels the event
    left = fold.stopped()[fold.unfinished]
    assert left["visible"] and "mine: " in left["choices"][1][0]
    assert fold.fresh()[2]["choices"][0] == ("No judge", "")


def test_nothing_new_is_a_warning(fold: MakeData) -> None:
    last = list(fold.begin("", *FIELDS[:6], 90, *FIELDS[7:]))[-1]
    assert "nothing new came any more" in last[fold.progress]
