"""Following runs from the shell: a bar, and Ctrl-C that stops them with everything saved."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from studio.cli.terminal import Terminal
from studio.commands.base import Json, jsonable
from studio.commands.runs import run_as_dict
from studio.core.errors import StudioError
from studio.core.formatting import took_text

if TYPE_CHECKING:
    from studio.commands.base import OnProgress

_LINE_EVERY = 15.0  # seconds between lines where there is no terminal to draw a bar on


def follow(out: Terminal, started: Json | list[Json]) -> Json | list[Json]:
    """Wait for runs that this process trains, one after another; what became of them."""
    for said in {each.get("advice"): None for each in _several(started)}:
        if said:
            out.note(said)
    if not isinstance(started, list):
        return _follow(out, started["run_id"], ())
    runs = [each["run_id"] for each in started]
    return [_follow(out, run, runs[at + 1 :]) for at, run in enumerate(runs)]


def _several(runs: Json | list[Json]) -> list[Json]:
    return runs if isinstance(runs, list) else [runs]


def _follow(out: Terminal, run_id: str, after: Sequence[str]) -> Json:
    """Until a run has ended.

    The first Ctrl-C stops it, saved, and takes those that wait `after` it off the queue.
    """
    studio, since = out.studio(), time.time()
    run = studio.runs.get(run_id)
    out.note(f"{run.id} {run.name}")
    with out.progress(run.name) as report, _stops(out, [*reversed(after), run_id]):
        watch = _Watch(out, report)

        def on_event(event: dict[str, Any]) -> None:
            if event.get("time", 0.0) >= since:  # a resumed run's log holds its past as well
                watch.see(event)

        run = studio.wait(run_id, on_event)
    ended = jsonable(run_as_dict(run))
    out.note(account(ended))
    return ended


class _Watch:
    """Turns a run's events into a bar, or into a line now and then."""

    def __init__(self, out: Terminal, report: OnProgress):
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
        elif kind == "retrieval":
            self.out.note(found_words(event))

    def _line(self, text: str) -> None:
        now = time.monotonic()
        if not sys.stderr.isatty() and now - self._last_line >= _LINE_EVERY:
            self._last_line = now
            self.out.note(text)


def found_words(event: Json) -> str:
    """What an encoder finds, with its intervals: `step 40: recall@1 0.68 (0.58 to 0.77)`."""
    figures = [
        f"{name} {one['value']:.2f} ({one['low']:.2f} to {one['high']:.2f})"
        for name, one in event["figures"].items()
    ]
    return f"step {event['step']:,}: {', '.join(figures)}" if figures else ""


@contextlib.contextmanager
def _stops(out: Terminal, runs: Sequence[str]) -> Iterator[None]:
    """Ctrl-C (or SIGTERM) asks the runs to stop; a second one does not wait for a save."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    count = 0

    def stop(number: int, frame: Any) -> None:
        nonlocal count
        count += 1
        if count > 2:
            raise KeyboardInterrupt
        for run in runs:
            with contextlib.suppress(StudioError):  # it has ended, or was stopped before
                out.studio().stop(run, now=count > 1)
        out.note("Stopping after this step; Ctrl-C again stops without saving.")

    before: dict[int, Callable[..., Any] | int | None] = {
        number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def account(run: Json) -> str:
    """One line: the state, how far, how long, and where the result is."""
    parts = [f"{run['name']} {run['state']}: {run['step']:,} of {run['total_steps']:,} steps"]
    loss = run["metrics"].get("loss")
    parts += [f"loss {loss:.4g}"] if loss is not None else []
    parts.append(took_text(run["train_seconds"]))
    if run.get("job", {}).get("seconds"):
        from studio.engine.hosted_runs import cost_words

        parts.append(cost_words(run["job"]).rstrip("."))
    return ", ".join(parts) + (f"; result in {run['result']}" if run["result"] else "")


def unfinished(value: Json | list[Json]) -> str | None:
    """Why the first run that did not finish has not, None where all have."""
    for run in _several(value):
        if run["state"] == "stopped":
            return (
                f"{run['name']} was stopped at step {run['step']} of {run['total_steps']}; "
                f"`python -m studio runs resume {run['run_id']}` resumes it."
            )
        if run["state"] != "finished":
            return run["error"] or f"{run['name']} is {run['state']}."
    return None
