"""A run's events as what a page draws: series, samples, log lines. Read once, shared by every page.

Events only ever grow, so a history remembers how far it has read and takes in what is new.
"""

from __future__ import annotations

import threading
from array import array
from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from studio.training.runs import Run

_LINES = 2000  # log lines kept for the page; the file keeps all
_RUNS = 12  # histories kept in memory
_NOT_SERIES = {"kind", "time", "step"}


@dataclass
class Series:
    """One measured quantity: steps and values, in the order of training."""

    steps: array = field(default_factory=lambda: array("q"))
    values: array = field(default_factory=lambda: array("d"))

    def add(self, step: int, value: float) -> None:
        self.steps.append(step)
        self.values.append(value)

    def cut(self, after: int) -> None:
        """Forget what came after a step: a resumed run goes over it again."""
        while self.steps and self.steps[-1] > after:
            self.steps.pop()
            self.values.pop()


@dataclass
class History:
    """Everything a page shows of one run's events. `version` grows when anything new came in."""

    series: dict[str, Series] = field(default_factory=dict)
    samples: list[dict[str, Any]] = field(default_factory=list)
    log: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=_LINES))
    phase: str = ""
    offset: int = 0
    version: int = 0
    checkpoint: int | None = None
    _pace: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=20))

    def add(self, events: Iterable[dict[str, Any]]) -> None:
        """Take in events that follow those already here."""
        for event in events:
            self.version += 1
            self._one(event)

    def _one(self, event: dict[str, Any]) -> None:
        kind, step = event.get("kind"), event.get("step")
        if kind == "log" and isinstance(step, int):
            self._measure(step, event)
        elif kind == "sample":
            self.samples.append(event)
        elif kind == "phase":
            self.phase = str(event.get("text", ""))
        elif kind == "start":
            self.phase = ""
        elif kind == "checkpoint":
            self.checkpoint = step
        elif kind == "resume" and isinstance(step, int):
            for one in self.series.values():
                one.cut(step)
            self.samples = [sample for sample in self.samples if sample.get("step", 0) <= step]
            self._pace.clear()
        if kind != "sample":
            self.log.append(event)

    def _measure(self, step: int, event: dict[str, Any]) -> None:
        for name, value in event.items():
            if name in _NOT_SERIES or not isinstance(value, int | float):
                continue
            self.series.setdefault(name, Series()).add(step, float(value))
        if isinstance(event.get("num_tokens"), int | float) and "time" in event:
            self._pace.append((event["time"], event["num_tokens"]))

    @property
    def tokens_per_second(self) -> float | None:
        """Over the last twenty points; None where the objective counts no tokens."""
        if len(self._pace) < 2:
            return None
        (first, before), (last, after) = self._pace[0], self._pace[-1]
        return (after - before) / (last - first) if last > first else None

    @property
    def drawn(self) -> bool:
        """Whether there is anything to draw."""
        return any(len(one.steps) for one in self.series.values())


class Histories:
    """The histories of the runs looked at lately, brought up to date when asked for."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, History] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, run: Run) -> History:
        """A run's history, with what was written since the last call."""
        with self._lock:
            history = self._kept.pop(run.id, None) or History()
            self._kept[run.id] = history
            while len(self._kept) > _RUNS:
                self._kept.popitem(last=False)
            events, history.offset = run.events(history.offset)
            history.add(events)
            return history
