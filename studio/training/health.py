"""A run's health in words: what is going wrong according to its events, why, and what to change.

`findings(events, settings)` is a pure function of a run's events (`events.jsonl`); `Watcher` takes
them one by one. Thresholds are set so that a run that is merely noisy has no findings. Imports no
torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

from studio.core.formatting import percent_text
from studio.runs.objectives import REWARDED
from studio.training import health_rl
from studio.training.health_metrics import RECENT, Finding, Level, Measures, spread, worst_first

_SETTLED = 40  # points before a run can be judged to learn nothing
_COLLAPSE = 25.0  # nats by which chosen answers may become less likely
_MARGIN = 15.0  # reward margin beyond which the preference has long been learned
_CLIPPED = 30  # consecutive clipped points before it is mentioned
_SLOWER = 0.5  # share of the best throughput below which it is mentioned
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
    """Takes a run's events one by one; call `findings()` at any time."""

    def findings(self) -> list[Finding]:
        """The current findings, worst first."""
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
                "The gradient is 0: nothing is being learned.",
                "The loss does not depend on any trained weight.",
                "Check lora_target_modules, and that the rows have tokens to train on.",
            )
        accuracy = self._mean("rewards/accuracies")
        margin = self._mean("rewards/margins")
        if accuracy is not None and margin is not None:
            flat = abs(margin) < 0.005 and abs(accuracy - 0.5) < 0.15
        else:
            early, late = median(track.first), median(track.recent)
            noise = max(spread(track.first), spread(track.recent))
            flat = early - late < max(0.005 * abs(early), noise)
            flat = flat and late > 0.05  # a loss near 0 cannot fall further
        if not flat:
            return None
        return self._finding(
            "nothing",
            "warn",
            f"The loss has not fallen in {self.points} measurements.",
            "The learning rate is too low, the adapter too small, or the model already knows these "
            "rows.",
            f"Raise learning_rate{self._rate_words(0.2)} or lora_r, and check the sample "
            "answers: if they are good, there is nothing left to learn.",
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
            f"The evaluation loss rises ({best:.3g} at step {best_step:,}, {value:.3g} at step "
            f"{step:,}) while the training loss falls.",
            "The model is overfitting: it memorizes rows instead of generalizing.",
            f"Stop and use the checkpoint of step {best_step:,}; next time use fewer epochs, more "
            "rows, a smaller lora_r, or some lora_dropout.",
        )

    def _collapses(self) -> Finding | None:
        chosen = self._mean("rewards/chosen")
        accuracy = self._mean("rewards/accuracies")
        beta = self.settings.get("beta")
        if chosen is None or accuracy is None or not isinstance(beta, int | float) or beta <= 0:
            return None
        fallen = -chosen / beta  # nats per row, relative to the reference
        if accuracy < 0.95 or fallen < _COLLAPSE:
            return None
        return self._finding(
            "collapse",
            "warn",
            f"Accuracy is {percent_text(accuracy)}, yet the chosen answers became less likely "
            f"(by {fallen:.0f} nats per row).",
            "The model moves away from both answers, only faster from the rejected one: its output "
            "may degenerate although the metrics look perfect.",
            f"Lower learning_rate{self._rate_words(3)}, raise beta, or add a supervised loss: "
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
            "The preference has long been learned; further steps only move the model away from "
            "the reference.",
            f"Stop, train for fewer epochs, lower learning_rate{self._rate_words(3)}, or raise "
            "beta; loss_type ipo bounds the margin.",
        )

    def _always_clipped(self) -> Finding | None:
        if self._clipped < _CLIPPED:
            return None
        limit = self.settings.get("max_grad_norm", 1.0)
        norm = self._mean("grad_norm") or 0.0
        return self._finding(
            "clipped",
            "info",
            f"The gradient was clipped at each of the last {self._clipped} points "
            f"(about {norm:.3g}, the limit is {limit:g}).",
            "max_grad_norm rather than learning_rate sets the step size.",
            "Nothing is broken. If the loss is unstable, lower learning_rate; if it falls slowly, "
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
            f"Throughput fell from {self._best_pace:,.0f} to {now:,.0f} tokens/s.",
            "Something else uses this machine, it throttles from heat, or memory is swapped.",
            "Check what else is running; the result is not affected.",
        )
