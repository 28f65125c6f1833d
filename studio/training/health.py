"""A run's health in plain words: what its events say is going wrong, why, and what to change.

`findings(events, settings)` is a pure function over a run's events (`events.jsonl`); `Watcher` is
the same, fed as the events come. Thresholds are chosen to stay silent on a run that is merely
noisy: a finding is worth a person's attention. No torch here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

from studio.runs.objectives import REWARDED
from studio.training import health_rl
from studio.training.health_metrics import RECENT, Finding, Level, Measures, spread, worst_first

_SETTLED = 40  # points before a run can be said to learn nothing
_COLLAPSE = 25.0  # nats by which the chosen answers may become less likely
_MARGIN = 15.0  # a reward margin beyond which the preference is long learned
_CLIPPED = 30  # points that must all be clipped
_SLOWER = 0.5  # share of the best throughput that is worth a word
_HELD_OUT_WORSE = 1.05


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


@dataclass
class Watcher(Measures):
    """Takes a run's events one by one; `findings()` at any time."""

    def findings(self) -> list[Finding]:
        """What is to be said now, worst first."""
        found = [*self._found.values()]
        if self.settings.get("objective") in REWARDED:
            return health_rl.findings(found, self._tracks, self.points, self.step)
        if not any(one.kind in ("nan", "masked") for one in found):
            judged = (
                self._learns_nothing(), self._memorises(), self._collapses(), self._explodes(),
                self._always_clipped(), self._slower(),
            )  # fmt: skip
            found += [one for one in judged if one is not None]
        return worst_first(found)

    def _finding(self, kind: str, level: Level, title: str, means: str, change: str) -> Finding:
        return Finding(kind, level, self.step, title, means, change)

    def _mean(self, name: str) -> float | None:
        track = self._tracks.get(name)
        return fmean(track.recent) if track and len(track.recent) == RECENT else None

    def _learns_nothing(self) -> Finding | None:
        track = self._tracks.get("loss")
        if track is None or self.points < _SETTLED:
            return None
        if self._still >= RECENT:
            return self._finding(
                "nothing",
                "danger",
                "The gradient is 0: nothing is learned.",
                "No trained weight takes part in the loss.",
                "Check lora_target_modules, and that the rows have answers to train on.",
            )
        accuracy = self._mean("rewards/accuracies")
        margin = self._mean("rewards/margins")
        if accuracy is not None and margin is not None:
            flat = abs(margin) < 0.005 and abs(accuracy - 0.5) < 0.15
        else:
            early, late = median(track.first), median(track.recent)
            noise = max(spread(track.first), spread(track.recent))
            flat = early - late < max(0.005 * abs(early), noise)
            flat = flat and late > 0.05  # a loss near 0 has nothing left to lose
        if not flat:
            return None
        return self._finding(
            "nothing",
            "warn",
            f"After {self.points} measurements the loss has not fallen.",
            "The rate is too low, the adapter too small, or the model knows these rows already.",
            f"Raise learning_rate{self._rate_words(0.2)} or lora_r, and look at the sample "
            "answers: if they are good, there is nothing left to learn here.",
        )

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
            "memorising",
            "warn",
            best_step,
            f"The held-out loss rises ({best:.3g} at step {best_step:,}, {value:.3g} at step "
            f"{step:,}) while the training loss falls.",
            "The model begins to memorise the rows instead of learning from them (overfitting).",
            f"Stop here and use what it was at step {best_step:,}: fewer epochs, more rows, a "
            "smaller lora_r or some lora_dropout.",
        )

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
            "collapse",
            "warn",
            f"Accuracy reads {100 * accuracy:.0f} %, yet the chosen answers became less likely "
            f"(by {fallen:.0f} nats a row).",
            "The model runs away from both answers, only faster from the rejected one: what it "
            "says may fall apart although the numbers look perfect.",
            f"Lower learning_rate{self._rate_words(3)}, raise beta, or add a supervised term: "
            "loss_type sigmoid,sft with loss_weights 1,0.2.",
        )

    def _explodes(self) -> Finding | None:
        track, margin = self._tracks.get("rewards/margins"), self._mean("rewards/margins")
        if track is None or margin is None or not track.full or margin < _MARGIN:
            return None
        if margin < 1.1 * fmean(track.before):
            return None
        return self._finding(
            "margins",
            "warn",
            f"The reward margin is {margin:.0f} and still growing.",
            "The preference was learned long ago; further steps only push the model away from "
            "the reference.",
            f"Stop here, train for fewer epochs, lower learning_rate{self._rate_words(3)} or "
            "raise beta; ipo as loss_type holds the margin.",
        )

    def _always_clipped(self) -> Finding | None:
        if self._clipped < _CLIPPED:
            return None
        limit = self.settings.get("max_grad_norm", 1.0)
        norm = self._mean("grad_norm") or 0.0
        return self._finding(
            "clipped",
            "info",
            f"Every gradient of the last {self._clipped} points was clipped "
            f"(about {norm:.3g}, the limit is {limit:g}).",
            "The step's size is set by max_grad_norm rather than by learning_rate.",
            "Nothing is broken. If the loss is unsteady lower learning_rate; if it falls slowly "
            f"raise max_grad_norm to about {norm:.1g}.",
        )

    def _slower(self) -> Finding | None:
        if len(self._pace) < RECENT or not self._best_pace:
            return None
        now = median(self._pace)
        if now > _SLOWER * self._best_pace:
            return None
        return self._finding(
            "slow",
            "info",
            f"It goes at {now:,.0f} tokens/s; it was {self._best_pace:,.0f}.",
            "Something else uses this machine, it became too hot, or memory is being swapped.",
            "Look at what else runs here; the result is not affected.",
        )
