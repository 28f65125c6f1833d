"""What visitors may ask of the models: only models already here, and a number of answers per hour.

Owners are not counted. Where there are no visitors (`components.ui.access`), this does nothing.
"""

from __future__ import annotations

import os
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from components.ui import access
from components.ui.blind_prompts import BlindPrompts
from studio.core.errors import ConfigError, DataError
from studio.generation.request import Column, Generation, GenerationRequest
from studio.workflows.comparisons import Side, column_choices, finished, side, training

if TYPE_CHECKING:
    from studio import Studio

HOUR = 3600.0
LONGEST = 512  # tokens of a visitor's answer
MOST_CHARACTERS = 32_768  # of a visitor's prompt with its history: about 8,000 tokens
WAITING = 8  # visitors' requests in progress at once


def allowance() -> int:
    """Answers per hour for each visitor: `STUDIO_VISITOR_ANSWERS`, 60 by default."""
    text = os.environ.get("STUDIO_VISITOR_ANSWERS", "60")
    if not text.isdigit():
        raise ConfigError(f"STUDIO_VISITOR_ANSWERS is {text!r}; set it to a whole number.")
    return int(text)


class Visits:
    """Counts visitors' requests; one for the app."""

    def __init__(self, studio: Studio, clock: Callable[[], float] = time.monotonic):
        self._studio, self._clock = studio, clock
        self._asked: dict[str, deque[float]] = defaultdict(deque)
        self._live: list[Callable[[], bool]] = []
        self._blind = BlindPrompts()
        self._lock = threading.Lock()

    def generate(self, request: GenerationRequest) -> Generation:
        """`Studio.generate`, within a visitor's limits; `DataError` beyond them."""
        self.admit(request)
        generation = self._studio.generate(request)
        self.waits_for(lambda: generation.finished)
        return generation

    def admit(self, request: GenerationRequest) -> None:
        """Check a request against a visitor's limits and count its answers; `DataError` beyond."""
        who = access.visitor()
        if who is None:
            request.check()
            return
        request.check(MOST_CHARACTERS)
        self.check(request.columns)
        own = [prompt for column in request.columns for prompt in column.prompts or ()]
        self._blind.check(self._studio.labels, [*request.prompts, *own])
        if request.sampling.max_new_tokens > LONGEST:
            raise DataError(
                f"A visitor's answers have at most {LONGEST} new tokens; lower max new tokens."
            )
        with self._lock:
            self._live = [finished for finished in self._live if not finished()]
            if len(self._live) >= WAITING:
                raise DataError("Too many requests at the moment; try again in a minute.")
            self._count(who, len(request.columns) * len(request.prompts))

    def admit_texts(self, texts: Sequence[str]) -> None:
        """Check texts to embed against a visitor's limits; 64 of them count as one answer."""
        who = access.visitor()
        if who is None:
            return
        if sum(map(len, texts)) > MOST_CHARACTERS:
            raise DataError(f"A visitor's texts have at most {MOST_CHARACTERS:,} characters.")
        with self._lock:
            self._live = [finished for finished in self._live if not finished()]
            if len(self._live) >= WAITING:
                raise DataError("Too many requests at the moment; try again in a minute.")
            self._count(who, -(-len(texts) // 64))

    def waits_for(self, finished: Callable[[], bool]) -> None:
        """A visitor's admitted request is in progress until `finished` says that it is not."""
        if access.visitor() is not None:
            with self._lock:
                self._live.append(finished)

    def check(self, columns: Sequence[Column]) -> None:
        """Refuse a visitor what would have to be downloaded or runs on the owner's key."""
        if access.visitor() is None:
            return
        runs, live = finished(self._studio), training(self._studio)
        offered = {side(self._studio, value).key for _, value in column_choices(runs, live)}
        for column in columns:
            asked = Side("", "", column.model, column.run, None, column.checkpoint, column.endpoint)
            if asked.key not in offered:
                raise DataError("Visitors can compare the models in the list; choose one of them.")

    def count(self, answers: int) -> None:
        """Count model time that is used other than by `generate`, in answers."""
        who = access.visitor()
        if who is not None:
            with self._lock:
                self._count(who, answers)

    def _count(self, who: str, answers: int) -> None:
        now, allowed = self._clock(), allowance()
        asked = self._asked[who]
        while asked and now - asked[0] > HOUR:
            asked.popleft()
        if len(asked) + answers > allowed:
            left = f" ({allowed - len(asked)} left)" if asked else ""
            wait = max(1, round((asked[0] + HOUR - now) / 60)) if asked else 60
            raise DataError(
                f"A visitor gets {allowed} answers per hour{left}; try again in {wait} min."
                + (" Or duplicate this Space to have your own." if access.space() else "")
            )
        asked.extend([now] * answers)
