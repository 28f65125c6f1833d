"""A run's events as a page shows them: thinned metrics, sample answers, log lines, health.

Events are only appended, so a history remembers how far it has read and adds what is new. It stays
small however long the run is: metrics are thinned as they arrive, keeping the minimum, maximum and
mean of every stretch of steps.
"""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from studio.core.errors import StudioError
from studio.runs.store import Run
from studio.training.health import Watcher

MOST = 1024
"""Stretches of steps per table at most; one stretch is one point on a chart."""
_LINES = 2000  # metrics kept for the log; the file has them all
_RUNS = 24  # histories kept in memory
_BLOCK = 2 << 20  # bytes read at once
_READ_TIME = 0.4  # seconds of reading per call; the next call reads on
_NOT_SERIES = {"kind", "time", "step", "epoch", "num_tokens", "total_flos"}
WATCHED = {"samples": "sample answers", "checkpoints": "checkpoints", "evaluation": "held-out loss"}
"""What a run's `time` event gives the seconds of, beside those of the whole."""
Cursor = tuple[int, int, int]  # cuts so far, steps a stretch, stretches known


@dataclass
class Stretch:
    """Consecutive measurements drawn as one point: key -> [low, high, sum, count]."""

    step: int
    count: int = 0
    values: dict[str, list[float]] = field(default_factory=dict)

    def take(self, step: int, values: Mapping[str, float]) -> None:
        self.step, self.count = step, self.count + 1
        for key, value in values.items():
            self._fold(key, value, value, value, 1)

    def join(self, later: Stretch) -> None:
        self.step, self.count = later.step, self.count + later.count
        for key, (low, high, total, count) in later.values.items():
            self._fold(key, low, high, total, count)

    def _fold(self, key: str, low: float, high: float, total: float, count: float) -> None:
        kept = self.values.get(key)
        if kept is None:
            self.values[key] = [low, high, total, count]
        else:
            kept[0], kept[1] = min(kept[0], low), max(kept[1], high)
            kept[2], kept[3] = kept[2] + total, kept[3] + count


@dataclass
class Table:
    """Measurements of one kind in training order, in at most `MOST` stretches."""

    width: int = 1
    cuts: int = 0
    stretches: list[Stretch] = field(default_factory=list)

    def add(self, step: int, values: Mapping[str, float]) -> None:
        last = self.stretches[-1] if self.stretches else None
        if last is None or last.count >= self.width:
            if len(self.stretches) >= MOST:
                self._halve()
            last = Stretch(step)
            self.stretches.append(last)
        last.take(step, values)

    def _halve(self) -> None:
        pairs = self.stretches
        for first, second in zip(pairs[::2], pairs[1::2], strict=True):
            first.join(second)
        self.stretches, self.width = pairs[::2], self.width * 2

    def cut(self, after: int) -> None:
        """Forget what came after a step, since a resumed run repeats it."""
        while self.stretches and self.stretches[-1].step > after:
            self.stretches.pop()
        self.cuts += 1

    @property
    def keys(self) -> set[str]:
        return {key for one in self.stretches[-3:] + self.stretches[:3] for key in one.values}

    def since(self, cursor: Cursor | None) -> dict[str, Any] | None:
        """What a page at `cursor` lacks, in columns; None when that is nothing.

        `{"cursor", "from", "steps", "series": {key: [values]}}`, and with stretches of several
        steps `low` and `high` beside the means in `series`.
        """
        now: Cursor = (self.cuts, self.width, len(self.stretches))
        start = 0
        if cursor is not None and cursor[:2] == now[:2] and 0 <= cursor[2] <= now[2]:
            # The last stretch may have grown.
            start = cursor[2] if self.width == 1 else max(0, cursor[2] - 1)
        new = self.stretches[start:]
        if not new:
            return None
        keys = sorted({key for one in new for key in one.values})
        table: dict[str, Any] = {
            "cursor": now,
            "from": start,
            "steps": [one.step for one in new],
            "series": {key: [_mean(one.values.get(key)) for one in new] for key in keys},
        }
        if self.width > 1:
            for name, at in (("low", 0), ("high", 1)):
                table[name] = {key: [_part(one.values.get(key), at) for one in new] for key in keys}
        return table


def _mean(kept: list[float] | None) -> float | None:
    return None if kept is None else short(kept[2] / kept[3])


def _part(kept: list[float] | None, at: int) -> float | None:
    return None if kept is None else short(kept[at])


def short(value: float) -> float | None:
    """Five significant digits, more than a chart shows; None for what cannot be drawn."""
    return float(f"{value:.5g}") if math.isfinite(value) else None


@dataclass
class History:
    """Everything a page shows of one run's events."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    train: Table = field(default_factory=Table)
    held_out: Table = field(default_factory=Table)
    samples: list[dict[str, Any]] = field(default_factory=list)
    retrieval: list[dict[str, Any]] = field(default_factory=list)
    """What an encoder found, as measured before, during and after training."""
    mined: dict[str, Any] | None = None
    measured: deque[tuple[int, dict[str, Any]]] = field(
        default_factory=lambda: deque(maxlen=_LINES)
    )
    happened: deque[tuple[int, dict[str, Any]]] = field(
        default_factory=lambda: deque(maxlen=_LINES)
    )
    latest: dict[str, Any] = field(default_factory=dict)
    phase: str = ""
    offset: int = 0
    version: int = 0
    """Events read so far."""
    behind: float = 0.0
    """Fraction of the file still to be read."""
    steps_per_epoch: float | None = None
    watched: dict[str, float] = field(default_factory=dict)
    """Seconds of training (`seconds`) and of what watched it, over all parts of a resumed run."""
    _pace: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=20))

    def __post_init__(self) -> None:
        self.health = Watcher(self.settings)

    def add(self, events: Iterable[dict[str, Any]]) -> None:
        """Add events that follow those already read."""
        for event in events:
            self.version += 1
            self._one(event)

    def _one(self, event: dict[str, Any]) -> None:
        kind, step = event.get("kind"), event.get("step")
        self.health.add(event)
        if kind == "log" and isinstance(step, int):
            self._measure(step, event)
            self.measured.append((self.version, event))
            return
        if kind == "sample":
            self.samples.append(event)
            return
        if kind == "retrieval":
            self.retrieval.append(event)
        elif kind == "mined":
            self.mined = event
        if kind == "phase":
            self.phase = str(event.get("text", ""))
        elif kind == "start":
            self.phase = ""
            self._pace.clear()
        elif kind == "time":
            self._add_watched(event)
        elif kind == "resume" and isinstance(step, int):
            self.train.cut(step)
            self.held_out.cut(step)
            self.samples = [sample for sample in self.samples if sample.get("step", 0) <= step]
            self.retrieval = [each for each in self.retrieval if each.get("step", 0) <= step]
        self.happened.append((self.version, event))

    def _add_watched(self, event: Mapping[str, Any]) -> None:
        for name in ("seconds", *WATCHED):
            if isinstance(value := event.get(name), int | float):
                self.watched[name] = self.watched.get(name, 0.0) + value

    def _measure(self, step: int, event: dict[str, Any]) -> None:
        values = {
            name: float(value)
            for name, value in event.items()
            if name not in _NOT_SERIES and isinstance(value, int | float)
        }
        if any(name.startswith("train_") for name in values):
            return  # the trainer's summary of the whole run
        held_out = {name: value for name, value in values.items() if name.startswith("eval_")}
        if held_out:
            self.held_out.add(step, held_out)
            return
        tokens, at = event.get("num_tokens"), event.get("time")
        if isinstance(tokens, int | float) and isinstance(at, int | float):
            if self._pace and at > self._pace[-1][0] and tokens > self._pace[-1][1]:
                before = self._pace[-1]
                values["tokens/s"] = (tokens - before[1]) / (at - before[0])
            self._pace.append((at, tokens))
        if not values:
            return
        self.train.add(step, values)
        self.latest = event
        if event.get("epoch"):
            self.steps_per_epoch = step / float(event["epoch"])

    @property
    def tokens_per_second(self) -> float | None:
        """Over the last twenty points; None where the objective counts no tokens."""
        if len(self._pace) < 2:
            return None
        (first, before), (last, after) = self._pace[0], self._pace[-1]
        return (after - before) / (last - first) if last > first else None

    @property
    def log(self) -> list[dict[str, Any]]:
        """The latest metrics and all other events, in order."""
        return [event for _, event in self.lines(0)]

    def lines(self, after: int) -> list[tuple[int, dict[str, Any]]]:
        """(number, event) of the log's events after a number."""
        both = [*self.happened, *self.measured]
        return sorted((one for one in both if one[0] > after), key=lambda one: one[0])


class Histories:
    """The histories of recently viewed runs, updated when asked for."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, History] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, run: Run) -> History:
        """A run's history, with what was written since the last call.

        A long log is read over several calls; `behind` is the fraction still to come.
        """
        with self._lock:
            history = self._kept.pop(run.id, None) or History(_settings(run))
            self._kept[run.id] = history
            while len(self._kept) > _RUNS:
                self._kept.popitem(last=False)
            until = time.monotonic() + _READ_TIME
            while True:
                events, offset = run.events(history.offset, _BLOCK)
                history.add(events)
                done, history.offset = offset == history.offset, offset
                if done or time.monotonic() > until:
                    break
            history.behind = 0.0 if done else 1 - history.offset / max(1, run.log_size)
            return history


def _settings(run: Run) -> dict[str, Any]:
    try:
        return run.recipe.model_dump()
    except StudioError:
        return {}  # a run whose recipe this version cannot read can still be viewed
