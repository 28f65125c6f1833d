"""How much of a run's time goes to watching it, and how far apart that lies.

Sample answers, checkpoints and held-out losses may take a share of a run by default. Each is timed
when it happens and left out where the next one would exceed its share, but for the first, one in
the middle, and the last. Steps between them that a person chose are kept.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from studio.runs.events import EventLog
from studio.runs.recipe import Recipe

SHARES = {"samples": 0.02, "checkpoints": 0.01, "evaluation": 0.02}
"""Of the time that a run trains; together 5 %."""


@dataclass
class Pace:
    """When one kind of watching is due next, by what it has cost so far.

    `share` is of the training time; `fixed` keeps to the schedule whatever it costs.
    """

    share: float
    fixed: bool = False
    seconds: float = 0.0
    times: int = 0
    last_step: int = -1

    def due(self, step: int, total: int, trained: float) -> bool:
        """Whether it happens at `step` of `total`, a step at which the schedule has it.

        `trained` is the seconds of training until now, without what is spaced here.
        """
        if self.fixed or not self.times or step >= total or self.last_step < total / 2 <= step:
            return True
        to_come = 1 + (step < total / 2)  # the last one and, before it, the one in the middle
        expected = trained / max(1, step) * total
        return self.seconds / self.times * (self.times + 1 + to_come) <= self.share * expected

    def took(self, step: int, seconds: float) -> None:
        """Count one that happened."""
        self.seconds += seconds
        self.times += 1
        self.last_step = step


class TimeShare(TrainerCallback):
    """Times samples, checkpoints and evaluations, and spaces those without a chosen interval.

    The last callback of a run: what happens between its `on_step_end` and the next step is not
    training. Several processes keep to the schedule, for their clocks would not agree.
    """

    def __init__(self, recipe: Recipe, events: EventLog):
        several = torch.distributed.is_initialized()
        chosen = {
            "samples": recipe.sample_steps is not None,
            "checkpoints": recipe.save_steps is not None or recipe.load_best_model_at_end,
            "evaluation": recipe.eval_steps is not None or recipe.load_best_model_at_end,
        }
        self.events = events
        self.paces = {
            kind: Pace(share, fixed=chosen[kind] or several) for kind, share in SHARES.items()
        }
        self._began = self._mark = 0.0
        self._first_step = 0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._mark = time.monotonic()
        self._began = self._mark - self._watched()  # the first samples came before
        self._first_step = state.global_step

    def due(self, kind: str, state: TrainerState) -> bool:
        """Whether this kind of watching happens now; a resumed run counts from where it began."""
        return self.paces[kind].due(
            state.global_step - self._first_step,
            state.max_steps - self._first_step,
            time.monotonic() - self._began - self._watched(),
        )

    def took(self, kind: str, state: TrainerState, seconds: float) -> None:
        """Count what happened."""
        self.paces[kind].took(state.global_step - self._first_step, seconds)

    def _watched(self) -> float:
        return sum(pace.seconds for pace in self.paces.values())

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        stopping = control.should_training_stop
        control.should_save &= stopping or self.due("checkpoints", state)
        control.should_evaluate &= self.due("evaluation", state)
        self._mark = time.monotonic()

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        control.should_evaluate &= self.due("evaluation", state)
        self._mark = time.monotonic()

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._count("evaluation", state)

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._count("checkpoints", state)

    def _count(self, kind: str, state: TrainerState) -> None:
        now = time.monotonic()
        self.took(kind, state, now - self._mark)
        self._mark = now

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        watched = {kind: round(pace.seconds, 2) for kind, pace in self.paces.items()}
        whole = time.monotonic() - self._began
        self.events.write("time", step=state.global_step, seconds=round(whole, 2), **watched)
