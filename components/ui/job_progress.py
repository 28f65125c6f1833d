"""A job under its progress bar, with the button that began it and the one that cancels it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Any, TypeVar

import gradio as gr

from components.ui.compat import Update, Updates
from components.ui.handlers import QUIET, guard, sentence
from components.ui.html import notice, progress_bar
from studio.core.jobs import Job

Result = TypeVar("Result")


def followed(job: Job[Result], progress: gr.HTML) -> Generator[Updates, None, Result]:
    """Draw a job's steps until it ends, and return its result or raise its error.

    It is canceled where the page is closed meanwhile: nobody waits for the rest.
    """
    try:
        for step in job.steps():
            yield {progress: progress_bar(step[0], step[1], job.progress_text(step))}
        return job.result()
    finally:
        job.cancel()


class JobPanel:
    """A panel that does one thing at a time: `begin` makes way for `cancel` while it goes on."""

    begin: gr.Button
    cancel: gr.Button
    progress: gr.HTML

    def __init__(self) -> None:
        self.live = gr.State(None)

    @property
    def working(self) -> list[gr.Button | gr.HTML | gr.State]:
        """What `work` updates besides the result."""
        return [self.progress, self.begin, self.cancel, self.live]

    def bind_cancel(self) -> None:
        self.cancel.click(guard(_halt), self.live, None, **QUIET)

    def work(
        self, start: Callable[[], Job[Result]], show: Callable[[Result], Updates]
    ) -> Iterator[Updates]:
        """Start a job, draw its progress, then what `show` makes of its result, or what failed."""
        try:
            job = start()
        except Exception as error:
            yield {self.progress: notice("error", sentence(error))}
            return
        updates: Updates = {self.progress: ""}
        try:
            yield {
                self.begin: gr.update(visible=False),
                self.cancel: gr.update(visible=True),
                self.live: job,
                self.progress: progress_bar(0, None, job.what),
            }
            updates |= show((yield from followed(job, self.progress)))
        except Exception as error:
            updates = {self.progress: notice("error", sentence(error))}
        finally:
            job.cancel()  # closed before the first step
        yield {
            **updates,
            self.begin: gr.update(visible=True),
            self.cancel: gr.update(visible=False),
            self.live: None,
        }


def _halt(job: Job[Any] | None) -> None:
    if job is not None:
        job.cancel()


def refreshed(choices: list[tuple[str, str]], chosen: str | None) -> Update:
    """An update of a list whose choice stays while it is there; else the first."""
    values = [value for _, value in choices]
    kept = chosen if chosen in values else next(iter(values), None)
    return gr.update(choices=choices, value=kept)
