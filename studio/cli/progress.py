"""Watching a run from the shell: a bar, and Ctrl-C that stops it with everything saved."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from studio.cli.output import Report, Terminal
from studio.core.errors import ModelError, StudioError

if TYPE_CHECKING:
    from studio.core.jobs import Job
    from studio.runs.store import Run

_LINE_EVERY = 15.0  # seconds between lines where there is no terminal to draw a bar on


def follow(out: Terminal, run: Run, after: Sequence[Run] = ()) -> Run:
    """Until a run that this process trains has ended.

    The first Ctrl-C stops it, saved, and takes those that wait `after` it off the queue.
    """
    started = time.time()
    out.note(f"{run.id} {run.name}")
    with out.progress(run.name) as report, _stops(out, [*reversed(after), run]):
        watch = _Watch(out, report)

        def on_event(event: dict[str, Any]) -> None:
            if event.get("time", 0.0) >= started:  # a resumed run's log holds its past as well
                watch.see(event)

        return out.studio.wait(run.id, on_event)


class _Watch:
    """Turns a run's events into a bar, or into a line now and then."""

    def __init__(self, out: Terminal, report: Report):
        self.out, self.report = out, report
        self.total: int | None = None
        self._last_line = time.monotonic()

    def see(self, event: dict[str, Any]) -> None:
        kind = event.get("kind")
        if kind == "phase":
            self.report(0, None, event["text"])
        elif kind == "start":
            self.total = event["total_steps"]
            self.report(event["step"], self.total, "training")
        elif kind == "log" and "loss" in event:
            text = f"loss {event['loss']:.4g}"
            self.report(event["step"], self.total, text)
            self._line(f"step {event['step']} of {self.total}: {text}")

    def _line(self, text: str) -> None:
        now = time.monotonic()
        if not sys.stderr.isatty() and now - self._last_line >= _LINE_EVERY:
            self._last_line = now
            self.out.note(text)


@contextlib.contextmanager
def _stops(out: Terminal, runs: Sequence[Run]) -> Iterator[None]:
    """Ctrl-C (or SIGTERM) asks the runs to stop; a second one does not wait for a save."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked = 0

    def ask(number: int, frame: Any) -> None:
        nonlocal asked
        asked += 1
        if asked > 2:
            raise KeyboardInterrupt
        for run in runs:
            with contextlib.suppress(StudioError):  # it has ended, or was stopped before
                out.studio.stop(run.id, now=asked > 1)
        out.note("Stopping after this step; Ctrl-C again stops without saving.")

    before: dict[int, Callable[..., Any] | int | None] = {
        number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def watch(
    out: Terminal, job: Job[dict[str, Any]], what: str = "Loading the model"
) -> dict[str, Any]:
    """Wait for a job with a bar, and give its result; Ctrl-C stops it after the part being done."""
    with out.progress(what) as report:
        try:
            while not job.wait(0.2):
                if job.started:
                    report(job.done, job.total or None, job.what)
        except KeyboardInterrupt:
            job.cancel()
            job.wait(10)
            raise
    if job.error:
        raise ModelError(job.error)
    return job.result()
