"""A panel's one job: its bar, its buttons, its result, and what is left when the page closes."""

from __future__ import annotations

import threading

import gradio as gr
import pytest

from components.ui.job_progress import JobPanel, refreshed
from studio.core.errors import ConfigError
from studio.core.jobs import Job


class Panel(JobPanel):
    def __init__(self) -> None:
        with gr.Blocks():
            super().__init__()
            self.begin, self.cancel, self.progress = gr.Button(), gr.Button(), gr.HTML()
            self.result = gr.HTML()

    def shown(self, value: int) -> dict:
        return {self.result: str(value)}


def test_a_result_is_shown_and_the_buttons_change_places() -> None:
    panel, job = Panel(), Job[int](what="Reading")
    seen = panel.work(lambda: job, panel.shown)
    first = next(seen)
    assert first[panel.live] is job and "Reading" in first[panel.progress]
    assert first[panel.cancel]["visible"] and not first[panel.begin]["visible"]
    job.finish(7)
    (last,) = seen
    assert last[panel.result] == "7" and last[panel.progress] == "" and last[panel.live] is None
    assert last[panel.begin]["visible"] and not last[panel.cancel]["visible"]


def test_steps_are_drawn_while_it_goes_on() -> None:
    panel, job = Panel(), Job[int]()
    seen = panel.work(lambda: job, panel.shown)
    next(seen)
    job.report(2, 5, "Reading")
    assert "Reading, 2 of 5" in next(seen)[panel.progress]
    threading.Timer(0.05, job.finish, [1]).start()
    assert list(seen)[-1][panel.result] == "1"


@pytest.mark.parametrize("when", ["at once", "later", "while it is shown"])
def test_what_fails_is_a_sentence_and_the_panel_can_begin_again(when: str) -> None:
    panel, job = Panel(), Job[int]()

    def refuse(*_: object) -> dict:
        raise ConfigError("Choose rows.")

    if when == "later":
        job.fail(ConfigError("Choose rows."))
    else:
        job.finish(1)
    start = refuse if when == "at once" else lambda: job
    show = refuse if when == "while it is shown" else panel.shown
    last = list(panel.work(start, show))[-1]  # pyright: ignore[reportArgumentType]
    assert "Choose rows." in last[panel.progress] and panel.result not in last
    if when != "at once":
        assert last[panel.begin]["visible"] and last[panel.live] is None


@pytest.mark.parametrize("steps", [1, 2])
def test_a_page_that_is_closed_cancels_its_job(steps: int) -> None:
    panel, job = Panel(), Job[int]()
    seen = panel.work(lambda: job, panel.shown)
    for _ in range(steps):
        next(seen)
    seen.close()
    assert job.cancelled


def test_a_list_keeps_its_choice_while_it_is_there() -> None:
    choices = [("A", "a"), ("B", "b")]
    assert refreshed(choices, "b")["value"] == "b"
    assert refreshed(choices, "gone")["value"] == "a" and refreshed([], "b")["value"] is None
