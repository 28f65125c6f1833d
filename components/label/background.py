"""Work that goes on when its page is closed: started on one page, followed and canceled on any."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from components.ui.html import progress_bar
from studio.core.errors import ConfigError
from studio.core.jobs import Job, Report


class Background:
    """One piece of work at a time, for all pages of the app."""

    def __init__(self, kind: str):
        self.kind = kind
        self.job: Job[Any] | None = None

    @property
    def live(self) -> bool:
        return self.job is not None and not self.job.finished

    def start(self, work: Callable[[Report], Any]) -> Job[Any]:
        """Start in a thread of its own; a `ConfigError` while something is at work."""
        if self.live:
            raise ConfigError(f"One {self.kind} at a time; cancel the one at work or wait for it.")
        self.job = Job(kind=self.kind).start(work)
        return self.job

    def cancel(self) -> None:
        if self.job is not None:
            self.job.cancel()

    def bars(self) -> Iterator[str]:
        """A progress bar whenever it changes, until the work ends; nothing where none is live."""
        job, shown = self.job, ""
        if job is None:
            return
        for step in job.steps(every=0.5, patience=0.0):
            bar = progress_bar(step[0], step[1], job.progress_text(step))
            if bar != shown:
                shown = bar
                yield bar
