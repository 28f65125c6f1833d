"""A handle on work in progress, for whoever does the work and whoever waits for it.

One kind for everything: a call in the worker's thread (`Worker.submit`), a thread of its own
(`Job.start`), a generation, a scoring, an export, a transfer to the Hub.

    job = Job(kind="import").start(lambda report: store.prepare(source, progress=report))
    try:
        for done, total, what in job.steps():
            yield progress_bar(done, total, what)
        dataset = job.result()
    finally:
        job.cancel()  # harmless once it has ended
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Generic, Self, TypeVar

from studio.core.errors import Cancelled, ModelError, StudioError
from studio.core.formatting import left_text, thousands

logger = logging.getLogger(__name__)

Result = TypeVar("Result")
Report = Callable[[int, int | None, str], None]
"""Takes what is done, the total (None where it is not known) and a word on the part in hand.
Raises `Cancelled` once somebody asked to stop."""
Step = tuple[int, int | None, str]


@dataclass(kw_only=True, eq=False)
class Job(Generic[Result]):
    """Progress, cancellation and result of one piece of work. Safe to use from any thread."""

    kind: str = "task"
    what: str = "Waiting for the model"
    done: int = 0
    total: int | None = None
    started: float | None = None
    """When it began, by `time.monotonic`; None while it waits."""
    _future: Future[Result] = field(default_factory=lambda: Future[Any](), repr=False)
    _cancel: threading.Event = field(default_factory=threading.Event, repr=False)

    # --- for whoever waits

    def cancel(self) -> None:
        """Ask it to stop at its next step; harmless once it has ended."""
        self._cancel.set()

    @property
    def cancelled(self) -> bool:
        """Whether somebody asked it to stop."""
        return self._cancel.is_set()

    @property
    def finished(self) -> bool:
        return self._future.done()

    def wait(self, timeout: float | None = None) -> bool:
        """Until it ends; False when `timeout` seconds passed first."""
        try:
            self._future.exception(timeout)
        except TimeoutError:
            return False
        return True

    def result(self, timeout: float | None = None) -> Result:
        """What the work returned, or its error raised again; `TimeoutError` after `timeout` s."""
        if not self.wait(timeout):
            raise TimeoutError(f"The {self.kind} has not ended within {timeout:g} s.")
        return self._future.result()

    @property
    def error(self) -> str | None:
        """What went wrong, in a sentence; None while it goes on and where nothing did."""
        problem = self._future.exception() if self.finished else None
        if problem is None or isinstance(problem, StudioError):
            return None if problem is None else str(problem)
        return f"The {self.kind} broke off with {type(problem).__name__}: {problem}"

    def steps(self, every: float = 0.25, patience: float = 0.3) -> Iterator[Step]:
        """The latest progress every so many seconds until it ends; nothing for quick work."""
        if self.wait(patience):
            return
        yield self.done, self.total, self.what
        while not self.wait(every):
            yield self.done, self.total, self.what

    def progress_text(self, step: Step | None = None) -> str:
        """A step in words: what, how many of how many, and the time left once it can be known."""
        done, total, what = step or (self.done, self.total, self.what)
        words = what or "working"
        if total:
            words += f", {thousands(done)} of {thousands(total)}"
            spent = time.monotonic() - (self.started or time.monotonic())
            if 0 < done < total and spent > 2:
                words += f", {left_text(spent / done * (total - done))}"
        elif done:
            words += f", {thousands(done)} so far"
        return words

    # --- for whoever does the work

    def expect(self, more: int) -> None:
        """Add to the total."""
        self.started = self.started or time.monotonic()
        self.total = (self.total or 0) + more

    def step(self, more: int, what: str) -> None:
        """Add to what is done; raises `Cancelled` once somebody asked to stop."""
        self.report(self.done + more, self.total, what)

    def report(self, done: int, total: int | None, what: str) -> None:
        """Set the progress; raises `Cancelled` once somebody asked to stop."""
        self.done, self.total, self.what = done, total, what
        if self.cancelled:
            raise Cancelled(f"The {self.kind} was stopped.")

    def finish(self, result: Result) -> None:
        self._future.set_result(result)

    def fail(self, error: BaseException) -> None:
        self._future.set_exception(error)

    def run(self, work: Callable[[], Result]) -> None:
        """Do the work here and now; its error goes to whoever waits."""
        try:
            self.finish(work())
        except BaseException as error:
            if not isinstance(error, StudioError):
                logger.exception("the %s broke off", self.kind)
            asked = isinstance(error, Exception | KeyboardInterrupt | SystemExit)
            self.fail(error if asked else self._panic(error))

    def _panic(self, error: BaseException) -> StudioError:
        """A panic of a library in Rust, which is no `Exception`, as one that handlers catch."""
        return ModelError(f"The {self.kind} broke off with {type(error).__name__}: {error}.")

    def start(self, work: Callable[[Report], Result]) -> Self:
        """Do the work in a thread of its own, which reports its progress here."""
        self.started, self.what = time.monotonic(), ""
        target = threading.Thread(
            target=self.run, args=(lambda: work(self.report),), name=self.kind, daemon=True
        )
        target.start()
        return self
