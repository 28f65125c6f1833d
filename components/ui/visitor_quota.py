"""What visitors may ask of the model: columns that are here already, so many answers an hour.

Owners are not counted. Where there are no visitors (`components.ui.access`), nothing here counts.
"""

from __future__ import annotations

import os
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from components.ui import access
from studio.core.errors import ConfigError, DataError
from studio.generation.request import Column, Generation, GenerationRequest
from studio.workflows.comparisons import Side, column_choices, finished, side, training

if TYPE_CHECKING:
    from studio import Studio

HOUR = 3600.0
LONGEST = 512  # tokens of a visitor's answer
WAITING = 8  # visitors' questions under way together


def allowance() -> int:
    """Answers an hour for each visitor: `STUDIO_VISITOR_ANSWERS`, 60 by default."""
    said = os.environ.get("STUDIO_VISITOR_ANSWERS", "60")
    if not said.isdigit():
        raise ConfigError(f"STUDIO_VISITOR_ANSWERS is {said!r}; it is a whole number, such as 60.")
    return int(said)


class Visits:
    """Counts what visitors ask; one for the app."""

    def __init__(self, studio: Studio, clock: Callable[[], float] = time.monotonic):
        self._studio, self._clock = studio, clock
        self._asked: dict[str, deque[float]] = defaultdict(deque)
        self._live: list[Generation] = []
        self._lock = threading.Lock()

    def generate(self, request: GenerationRequest) -> Generation:
        """`Studio.generate`; for a visitor only within what visitors may, else a `DataError`."""
        who = access.visitor()
        if who is None:
            return self._studio.generate(request)
        self.check(request.columns)
        if request.sampling.max_new_tokens > LONGEST:
            raise DataError(f"A visitor's answers have at most {LONGEST} new tokens; ask for less.")
        with self._lock:
            self._live = [one for one in self._live if not one.finished]
            if len(self._live) >= WAITING:
                raise DataError("Others are being answered just now; ask again in a minute.")
            self._count(who, len(request.columns) * len(request.prompts))
            generation = self._studio.generate(request)
            self._live.append(generation)
        return generation

    def check(self, columns: Sequence[Column]) -> None:
        """Refuse a visitor whatever would have to be fetched, or is served on the owner's key."""
        if access.visitor() is None:
            return
        runs, live = finished(self._studio), training(self._studio)
        offered = {side(self._studio, value).key for _, value in column_choices(runs, live)}
        for column in columns:
            asked = Side("", "", column.model, column.run, None, column.checkpoint, column.endpoint)
            if asked.key not in offered:
                raise DataError("Visitors compare the models in the list; choose one of them.")

    def count(self, answers: int) -> None:
        """So many answers of the model's time, asked for otherwise than by `generate`."""
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
                f"A visitor gets {allowed} answers an hour{left}: ask again in {wait} min."
                + (" Or duplicate this Space to have your own." if access.space() else "")
            )
        asked.extend([now] * answers)
