"""A piece of the worker's work that others watch: how far it is, what came of it, and stop."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from studio.core.errors import Cancelled, StudioError

logger = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Job:
    """The worker fills it, pages read it, anyone may `cancel()`."""

    kind: str = "work"
    result: dict[str, Any] | None = None
    error: str | None = None
    done: int = 0
    total: int = 0
    what: str = "Waiting for the model"
    started: float | None = None
    _finished: threading.Event = field(default_factory=threading.Event, repr=False)
    _cancel: threading.Event = field(default_factory=threading.Event, repr=False)

    def cancel(self) -> None:
        """Stop after the part that is being done."""
        self._cancel.set()

    @property
    def cancelled(self) -> bool:
        return self._cancel.is_set()

    @property
    def finished(self) -> bool:
        return self._finished.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        return self._finished.wait(timeout)

    # --- the worker's side

    def expect(self, more: int) -> None:
        """So much more is to be done."""
        self.started = self.started or time.monotonic()
        self.total += more

    def step(self, more: int, what: str) -> None:
        """So many more are done; raises `Cancelled` once somebody pressed stop."""
        self.done, self.what = self.done + more, what
        if self.cancelled:
            raise Cancelled(f"The {self.kind} was stopped.")

    def finish(self, result: dict[str, Any] | None = None, error: str | None = None) -> None:
        self.result, self.error = result, error
        self._finished.set()

    def run(self, work: Callable[[], dict[str, Any]]) -> None:
        """Do the work to its end; whatever goes wrong is a sentence in `error`."""
        try:
            self.finish(work())
        except StudioError as error:  # Cancelled is one of them
            self.finish(error=str(error))
        except Exception as error:  # a fault of ours or a library's: whoever waits must hear of it
            logger.exception("the %s broke off", self.kind)
            self.finish(error=f"The {self.kind} broke off with {type(error).__name__}: {error}")
