"""Measurements that health is judged by, and findings that single events show.

Fed event by event; imports no torch. `studio.training.health` does the rest.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import fmean, median
from typing import Any, Literal

from studio.runs.objectives import REWARDED
from studio.training import health_encoders

Level = Literal["danger", "warn", "info"]
RECENT = 10  # points that count as recent
_EARLY = 20  # points that count as the beginning
_SPIKE = 0.5  # smallest jump of the loss that is mentioned
_RECOVERED = 5  # calm points after which a spike is over


@dataclass(frozen=True)
class Finding:
    """What happened, what it usually means, and what to change; `step` is where it began."""

    kind: str
    level: Level
    step: int
    title: str
    means: str
    change: str

    def line(self) -> str:
        """One line for a shell."""
        return f"step {self.step}: {self.title} {self.means} {self.change}"


def worst_first(found: Iterable[Finding]) -> list[Finding]:
    """Dangers, then warnings, then notes; each sorted by step."""
    order = {"danger": 0, "warn": 1, "info": 2}
    return sorted(found, key=lambda one: (order[one.level], one.step))


def _lately() -> deque[float]:
    return deque(maxlen=RECENT)


@dataclass
class _Track:
    """One measured quantity: its beginning and its latest points."""

    first: list[float] = field(default_factory=list)
    recent: deque[float] = field(default_factory=_lately)
    before: deque[float] = field(default_factory=_lately)

    def add(self, value: float) -> None:
        if len(self.first) < _EARLY:
            self.first.append(value)
        if len(self.recent) == RECENT:
            self.before.append(self.recent[0])
        self.recent.append(value)

    @property
    def full(self) -> bool:
        return len(self.recent) == RECENT and len(self.before) == RECENT


@dataclass
class Measures:
    """Takes a run's events one by one and notes what they show, in constant memory."""

    settings: Mapping[str, Any]
    points: int = 0
    step: int = 0
    _tracks: dict[str, _Track] = field(default_factory=dict)
    _found: dict[str, Finding] = field(default_factory=dict)
    _losses: deque[float] = field(default_factory=lambda: deque(maxlen=20))
    _calm: int = 0
    _spiked: int | None = None
    _zero: int = 0
    _still: int = 0
    _clipped: int = 0
    _held_out: list[tuple[int, float, float]] = field(default_factory=list)
    _pace: deque[float] = field(default_factory=_lately)
    _best_pace: float = 0.0
    _last: tuple[float, float] | None = None

    def add(self, event: Mapping[str, Any]) -> None:
        """Take in the next event."""
        kind, step = event.get("kind"), event.get("step")
        if kind in ("resume", "start"):
            self._last = None
            return
        if kind == "rows":
            self._left_out(event)
        if kind == "chats":
            self._chats(event)
        if kind in ("retrieval", "mined", "false_negatives", "negatives", "few_texts"):
            health_encoders.read(kind, event, self._note)
        if kind != "log" or not isinstance(step, int):
            return
        self.step = max(step, 0)
        if _number(event, "eval_loss") is not None:
            self._evaluated(event)
        if _number(event, "loss") is not None:
            self.points += 1
            self._measured(event)

    # ---- events ------------------------------------------------------------------------------

    def _measured(self, event: Mapping[str, Any]) -> None:
        loss = float(event["loss"])
        norm = _number(event, "grad_norm")
        self._not_a_number("loss", loss)
        if norm is not None and not math.isfinite(norm):
            self._not_a_number("gradient", norm)
        self._masked(loss, norm)
        if math.isfinite(loss):
            self._spike(loss)
        for name, value in event.items():
            if isinstance(value, int | float) and math.isfinite(value):
                self._tracks.setdefault(name, _Track()).add(float(value))
        self._clip(norm)
        self._still = self._still + 1 if norm == 0 else 0
        self._speed(event)

    def _note(self, kind: str, level: Level, title: str, means: str, change: str) -> None:
        if kind not in self._found:
            self._found[kind] = Finding(kind, level, self.step, title, means, change)

    def _left_out(self, event: Mapping[str, Any]) -> None:
        used, given = int(event["used"]), int(event["given"])
        few = used < given / 2
        self._note(
            "left_out",
            "danger" if few else "warn",
            f"{given - used:,} of {given:,} rows do not fit and are not trained on.",
            f"They exceed max_length {event['max_length']}: TRL drops reward model pairs with a "
            "longer side, and any row whose prompt alone fills it.",
            "Raise max_length; Statistics on the Data tab show the rows' lengths, and the "
            "Calculator shows the cost.",
        )

    def _chats(self, event: Mapping[str, Any]) -> None:
        given, refused, changed = (int(event[name]) for name in ("given", "refused", "changed"))
        rows = "rows" if event.get("split") != "test" else "held-out rows"
        if refused:
            self._note(
                "chats_refused",
                "danger" if refused > given / 2 else "warn",
                f"{refused:,} of {given:,} {rows} are left out: the chat template refuses them.",
                str(event["refused_first"]),
                "Choose another chat template, or fix the rows; the Data tab lists them.",
            )
        if changed:
            self._note(
                "chats_changed",
                "warn",
                f"In {changed:,} of {given:,} {rows} the chat template writes a turn differently "
                "once others follow.",
                str(event["changed_first"]),
                "Look at such a row in the token view of the Data tab; a template that writes "
                "every turn alike avoids it.",
            )

    def _not_a_number(self, what: str, value: float) -> None:
        if math.isfinite(value):
            return
        half = self.settings.get("dtype") == "float16"
        self._note(
            "nan",
            "danger",
            f"The {what} became {_word(value)}.",
            "The numbers overflowed: the learning rate is too high"
            f"{', float16 ran out of range' if half else ''}, or a row is malformed.",
            f"Lower learning_rate{self._rate_words(3)}"
            f"{', choose dtype bfloat16 or float32' if half else ''}, and resume from the last "
            "checkpoint.",
        )

    def _rate_words(self, share: float) -> str:
        rate = self.settings.get("learning_rate")
        if not isinstance(rate, int | float):
            return ""
        return f" (from {rate:g} to {rate / share:.1g})"

    def _masked(self, loss: float, norm: float | None) -> None:
        if self.settings.get("objective") in REWARDED:
            return  # a loss of 0 is normal there: see health_rl
        self._zero = self._zero + 1 if loss == 0 and not norm else 0
        if self._zero >= 3 and self._zero == self.points:
            self._note(
                "masked",
                "danger",
                "Nothing is being learned: the loss is exactly 0.",
                "Every token is masked. Usually the answer is truncated because the prompt alone "
                "fills max_length, or there are no assistant turns to compute the loss on.",
                "Raise max_length, or turn assistant_only_loss or completion_only_loss off; the "
                "Data tab shows which tokens are trained.",
            )

    def _spike(self, loss: float) -> None:
        seen = [value for value in self._losses if math.isfinite(value)]
        middle = median(seen) if len(seen) >= 10 else None
        if middle is not None:
            spread = median(abs(value - middle) for value in seen)
            if loss > middle + max(8 * spread, 0.5 * abs(middle), _SPIKE):
                self._spiked, self._calm = self._spiked or self.step, 0
                self._found["spike"] = Finding(
                    "spike",
                    "warn",
                    self._spiked,
                    f"The loss jumped from about {middle:.3g} to {loss:.3g}.",
                    "One batch changed the weights too much: learning_rate is too high, or rows "
                    "are malformed.",
                    f"If it does not recover, lower learning_rate{self._rate_words(2)} or "
                    "max_grad_norm, or raise warmup_steps.",
                )
                return  # a spike does not count as normal
            self._calm += 1
            if self._spiked is not None and self._calm >= _RECOVERED:
                self._found.pop("spike", None)
                self._spiked = None
        self._losses.append(loss)

    def _clip(self, norm: float | None) -> None:
        limit = self.settings.get("max_grad_norm", 1.0)
        if norm is None or not limit or not math.isfinite(norm):
            return
        self._clipped = self._clipped + 1 if norm > limit else 0

    def _evaluated(self, event: Mapping[str, Any]) -> None:
        value = float(event["eval_loss"])
        self._not_a_number("evaluation loss", value)
        recent = self._tracks.get("loss")
        train = fmean(recent.recent) if recent and recent.recent else math.nan
        self._held_out.append((self.step, value, train))
        if len(self._held_out) > 200:  # keep the best and the latest
            best = min(self._held_out, key=lambda one: one[1])
            self._held_out = [best, *[one for one in self._held_out[-100:] if one != best]]

    def _speed(self, event: Mapping[str, Any]) -> None:
        tokens, now = _number(event, "num_tokens"), _number(event, "time")
        if tokens is None or now is None:
            return
        if self._last is not None and now > self._last[1] and tokens > self._last[0]:
            self._pace.append((tokens - self._last[0]) / (now - self._last[1]))
        self._last = (tokens, now)
        if len(self._pace) == RECENT:
            self._best_pace = max(self._best_pace, median(self._pace))


def _number(event: Mapping[str, Any], name: str) -> float | None:
    value = event.get(name)
    return float(value) if isinstance(value, int | float) else None


def _word(value: float) -> str:
    return "NaN" if math.isnan(value) else "infinite"


def spread(values: Iterable[float]) -> float:
    """Approximate standard error of the mean."""
    found = list(values)
    middle = fmean(found)
    return math.sqrt(fmean((value - middle) ** 2 for value in found) / len(found))
