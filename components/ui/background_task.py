"""Long work behind a page's handler: a thread with progress that a person can cancel.

work = Work(lambda progress: store.prepare(source, progress=progress))
try:
    for done, total, what in work.steps():
        yield progress_bar(done, total, what)
    dataset = work.result()
finally:
    work.cancel()          # the person pressed Cancel, or left: the thread stops by itself
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

from studio.core.errors import Cancelled
from studio.core.formatting import duration_text, thousands

Result = TypeVar("Result")
Step = tuple[int, int | None, str]


class Work(Generic[Result]):
    """Runs `task(progress)` in a thread at once; `progress` raises `Cancelled` after `cancel()`."""

    def __init__(self, task: Callable[[Callable[[int, int | None, str], None]], Result]):
        self._task = task
        self._latest: Step = (0, None, "")
        self._cancelled = threading.Event()
        self._done = threading.Event()
        self._result: Any = None
        self._error: BaseException | None = None
        self.started = time.monotonic()
        threading.Thread(target=self._run, name="page-work", daemon=True).start()

    def _run(self) -> None:
        try:
            self._result = self._task(self._progress)
        except BaseException as error:
            self._error = error
        finally:
            self._done.set()

    def _progress(self, done: int, total: int | None, what: str) -> None:
        if self._cancelled.is_set():
            raise Cancelled("Cancelled.")
        self._latest = (done, total, what)

    def steps(self, every: float = 0.25, patience: float = 0.3) -> Iterator[Step]:
        """The latest progress, now and then, until the work ends; nothing for quick work."""
        if self._done.wait(patience):
            return
        yield self._latest
        while not self._done.wait(every):
            yield self._latest

    def result(self) -> Result:
        """What the task returned, or its error raised here."""
        self._done.wait()
        if self._error is not None:
            raise self._error
        return self._result

    def cancel(self) -> None:
        """Ask the task to stop at its next progress report; harmless once it has ended."""
        self._cancelled.set()

    def say(self, step: Step) -> str:
        """A step as words: what, how many of how many, and the time left when it can be told."""
        done, total, what = step
        words = what or "working"
        if total:
            words += f", {thousands(done)} of {thousands(total)}"
            spent = time.monotonic() - self.started
            if 0 < done < total and spent > 2:
                words += f", {duration_text(spent / done * (total - done))} left"
        elif done:
            words += f", {thousands(done)} so far"
        return words
