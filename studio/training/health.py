"""A run's health in plain words: what its events say is going wrong, why, and what to change.

`findings(events, settings)` is a pure function over a run's events (`events.jsonl`); `Watcher` is
the same, fed as the events come. Thresholds are chosen to stay silent on a run that is merely
noisy: a finding is worth a person's attention. No torch here.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import fmean, median
from typing import Any, Literal

from studio.training import health_rewards
from studio.training.objectives import REWARDED

Level = Literal["danger", "warn", "info"]
_RECENT = 10  # points that "lately" means
_EARLY = 20  # points that the beginning is told from
_SETTLED = 40  # points before a run can be said to learn nothing
_SPIKE = 0.5  # smallest jump of a loss worth a word
_RECOVERED = 5  # calm points after which a spike is over
_COLLAPSE = 25.0  # nats by which the chosen answers may become less likely
_MARGIN = 15.0  # a reward margin beyond which the preference is long learned
_CLIPPED = 30  # points that must all be clipped
_SLOWER = 0.5  # share of the best throughput that is worth a word
_HELD_OUT_WORSE = 1.05


@dataclass(frozen=True)
class Finding:
    """What was noticed, what it usually means and what to change; `step` is where it began."""

    kind: str
    level: Level
    step: int
    title: str
    means: str
    change: str

    def line(self) -> str:
        """One line for a shell."""
        return f"step {self.step}: {self.title} {self.means} {self.change}"


def findings(
    events: Iterable[Mapping[str, Any]], settings: Mapping[str, Any] | None = None
) -> list[Finding]:
    """What is wrong with a run, worst first; nothing for a healthy one.

    Args:
        events: a run's events in order, as `Run.events` gives them.
        settings: the recipe's values; `objective`, `beta`, `learning_rate`, `max_grad_norm` and
            `dtype` are read.
    """
    watcher = Watcher(settings or {})
    for event in events:
        watcher.add(event)
    return watcher.findings()


def _lately() -> deque[float]:
    return deque(maxlen=_RECENT)


@dataclass
class _Track:
    """One measured quantity: its beginning and its latest points."""

    first: list[float] = field(default_factory=list)
    recent: deque[float] = field(default_factory=_lately)
    before: deque[float] = field(default_factory=_lately)

    def add(self, value: float) -> None:
        if len(self.first) < _EARLY:
            self.first.append(value)
        if len(self.recent) == _RECENT:
            self.before.append(self.recent[0])
        self.recent.append(value)

    @property
    def full(self) -> bool:
        return len(self.recent) == _RECENT and len(self.before) == _RECENT


@dataclass
class Watcher:
    """Takes a run's events one by one; `findings()` at any time. Memory does not grow."""

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
        if kind != "log" or not isinstance(step, int):
            return
        self.step = max(step, 0)
        if _number(event, "eval_loss") is not None:
            self._evaluated(event)
        if _number(event, "loss") is not None:
            self.points += 1
            self._measured(event)

    # ---- taking in ------------------------------------------------------------------------------

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

    def _not_a_number(self, what: str, value: float) -> None:
        if math.isfinite(value):
            return
        half = self.settings.get("dtype") == "float16"
        self._note(
            "nan", "danger", f"The {what} became {_word(value)}.",
            "The numbers overflowed: the learning rate is too high"
            f"{', float16 ran out of range' if half else ''}, or a row is broken.",
            f"Lower learning_rate{self._rate_words(3)}"
            f"{', choose dtype bfloat16 or float32' if half else ''}, and go on from the last "
            "checkpoint.",
        )  # fmt: skip

    def _rate_words(self, share: float) -> str:
        rate = self.settings.get("learning_rate")
        if not isinstance(rate, int | float):
            return ""
        return f" (from {rate:g} to {rate / share:.1g})"

    def _masked(self, loss: float, norm: float | None) -> None:
        if self.settings.get("objective") in REWARDED:
            return  # a loss of 0 is usual there: see health_rewards
        self._zero = self._zero + 1 if loss == 0 and not norm else 0
        if self._zero >= 3 and self._zero == self.points:
            self._note(
                "masked", "danger", "Nothing is being trained on: the loss is exactly 0.",
                "Every token is masked. Usually the answer was cut off because the prompt alone "
                "fills max_length, or the loss is taken on assistant turns that are not there.",
                "Raise max_length, or turn assistant_only_loss or completion_only_loss off; the "
                "Data tab shows which tokens are trained.",
            )  # fmt: skip

    def _spike(self, loss: float) -> None:
        seen = [value for value in self._losses if math.isfinite(value)]
        middle = median(seen) if len(seen) >= 10 else None
        if middle is not None:
            spread = median(abs(value - middle) for value in seen)
            if loss > middle + max(8 * spread, 0.5 * abs(middle), _SPIKE):
                self._spiked, self._calm = self._spiked or self.step, 0
                self._found["spike"] = Finding(
                    "spike", "warn", self._spiked,
                    f"The loss jumped from about {middle:.3g} to {loss:.3g}.",
                    "One batch threw the weights off: a rate too high for this stage, or odd rows.",
                    f"If it does not come back, lower learning_rate{self._rate_words(2)} or "
                    "max_grad_norm, or lengthen warmup_steps.",
                )  # fmt: skip
                return  # a spike is no measure of what is usual
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
        self._not_a_number("held-out loss", value)
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
        if len(self._pace) == _RECENT:
            self._best_pace = max(self._best_pace, median(self._pace))

    # ---- judging --------------------------------------------------------------------------------

    def findings(self) -> list[Finding]:
        """What is to be said now, worst first."""
        found = [*self._found.values()]
        if self.settings.get("objective") in REWARDED:
            return health_rewards.findings(found, self._tracks, self.points, self.step)
        if not any(one.kind in ("nan", "masked") for one in found):
            judged = (
                self._learns_nothing(), self._memorises(), self._collapses(), self._explodes(),
                self._always_clipped(), self._slower(),
            )  # fmt: skip
            found += [one for one in judged if one is not None]
        order = {"danger": 0, "warn": 1, "info": 2}
        return sorted(found, key=lambda one: (order[one.level], one.step))

    def _finding(self, kind: str, level: Level, title: str, means: str, change: str) -> Finding:
        return Finding(kind, level, self.step, title, means, change)

    def _mean(self, name: str) -> float | None:
        track = self._tracks.get(name)
        return fmean(track.recent) if track and len(track.recent) == _RECENT else None

    def _learns_nothing(self) -> Finding | None:
        track = self._tracks.get("loss")
        if track is None or self.points < _SETTLED:
            return None
        if self._still >= _RECENT:
            return self._finding(
                "nothing", "danger", "The gradient is 0: nothing is learned.",
                "No trained weight takes part in the loss.",
                "Check lora_target_modules, and that the rows have answers to train on.",
            )  # fmt: skip
        accuracy = self._mean("rewards/accuracies")
        margin = self._mean("rewards/margins")
        if accuracy is not None and margin is not None:
            flat = abs(margin) < 0.005 and abs(accuracy - 0.5) < 0.15
        else:
            early, late = median(track.first), median(track.recent)
            noise = max(_spread(track.first), _spread(track.recent))
            flat = early - late < max(0.005 * abs(early), noise)
            flat = flat and late > 0.05  # a loss near 0 has nothing left to lose
        if not flat:
            return None
        return self._finding(
            "nothing", "warn", f"After {self.points} measurements the loss has not fallen.",
            "The rate is too low, the adapter too small, or the model knows these rows already.",
            f"Raise learning_rate{self._rate_words(0.2)} or lora_r, and look at the sample "
            "answers: if they are good, there is nothing left to learn here.",
        )  # fmt: skip

    def _memorises(self) -> Finding | None:
        if len(self._held_out) < 3:
            return None
        best_step, best, train_then = min(self._held_out, key=lambda one: one[1])
        rising = self._held_out[-1][1] > self._held_out[-2][1] > best
        step, value, train = self._held_out[-1]
        worse = value > best * _HELD_OUT_WORSE and value > best + 0.01
        if not (rising and worse) or train >= train_then:
            return None
        return Finding(
            "memorising", "warn", best_step,
            f"The held-out loss rises ({best:.3g} at step {best_step:,}, {value:.3g} at step "
            f"{step:,}) while the training loss falls.",
            "The model begins to memorise the rows instead of learning from them (overfitting).",
            f"Stop here and use what it was at step {best_step:,}: fewer epochs, more rows, a "
            "smaller lora_r or some lora_dropout.",
        )  # fmt: skip

    def _collapses(self) -> Finding | None:
        chosen = self._mean("rewards/chosen")
        accuracy = self._mean("rewards/accuracies")
        beta = self.settings.get("beta")
        if chosen is None or accuracy is None or not isinstance(beta, int | float) or beta <= 0:
            return None
        fallen = -chosen / beta  # nats a row, against the reference
        if accuracy < 0.95 or fallen < _COLLAPSE:
            return None
        return self._finding(
            "collapse", "warn",
            f"Accuracy reads {100 * accuracy:.0f} %, yet the chosen answers became less likely "
            f"(by {fallen:.0f} nats a row).",
            "The model runs away from both answers, only faster from the rejected one: what it "
            "says may fall apart although the numbers look perfect.",
            f"Lower learning_rate{self._rate_words(3)}, raise beta, or add a supervised term: "
            "loss_type sigmoid,sft with loss_weights 1,0.2.",
        )  # fmt: skip

    def _explodes(self) -> Finding | None:
        track, margin = self._tracks.get("rewards/margins"), self._mean("rewards/margins")
        if track is None or margin is None or not track.full or margin < _MARGIN:
            return None
        if margin < 1.1 * fmean(track.before):
            return None
        return self._finding(
            "margins", "warn", f"The reward margin is {margin:.0f} and still growing.",
            "The preference was learned long ago; further steps only push the model away from "
            "the reference.",
            f"Stop here, train for fewer epochs, lower learning_rate{self._rate_words(3)} or "
            "raise beta; ipo as loss_type holds the margin.",
        )  # fmt: skip

    def _always_clipped(self) -> Finding | None:
        if self._clipped < _CLIPPED:
            return None
        limit = self.settings.get("max_grad_norm", 1.0)
        norm = self._mean("grad_norm") or 0.0
        return self._finding(
            "clipped", "info",
            f"Every gradient of the last {self._clipped} points was clipped "
            f"(about {norm:.3g}, the limit is {limit:g}).",
            "The step's size is set by max_grad_norm rather than by learning_rate.",
            "Nothing is broken. If the loss is unsteady lower learning_rate; if it falls slowly "
            f"raise max_grad_norm to about {norm:.1g}.",
        )  # fmt: skip

    def _slower(self) -> Finding | None:
        if len(self._pace) < _RECENT or not self._best_pace:
            return None
        now = median(self._pace)
        if now > _SLOWER * self._best_pace:
            return None
        return self._finding(
            "slow", "info",
            f"It goes at {now:,.0f} tokens/s; it was {self._best_pace:,.0f}.",
            "Something else uses this machine, it became too hot, or memory is being swapped.",
            "Look at what else runs here; the result is not affected.",
        )  # fmt: skip


def _number(event: Mapping[str, Any], name: str) -> float | None:
    value = event.get(name)
    return float(value) if isinstance(value, int | float) else None


def _word(value: float) -> str:
    return "NaN" if math.isnan(value) else "infinite"


def _spread(values: Iterable[float]) -> float:
    """Standard error of a mean, roughly."""
    found = list(values)
    middle = fmean(found)
    return math.sqrt(fmean((value - middle) ** 2 for value in found) / len(found))
