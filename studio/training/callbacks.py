"""Callbacks in TRL's loop: progress, events, stopping, sample answers."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import torch
from accelerate import PartialState
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from studio.core.errors import TrainingError
from studio.core.hardware import memory_now
from studio.runs.events import EventLog
from studio.runs.store import Run, RunStore
from studio.training.held_out import named
from studio.training.time_share import TimeShare

_ASKED = (None, "step", "now")
_SAVE_EVERY = 1.0  # seconds between writes of run.json
_WINDOW = 50  # steps that the estimate of the time left looks back on


def agreed(asked: str | None) -> str | None:
    """What any process was asked, on every process, so that all stop after the same step."""
    if not torch.distributed.is_initialized():
        return asked
    number = torch.tensor(_ASKED.index(asked), device=PartialState().device)
    torch.distributed.all_reduce(number, torch.distributed.ReduceOp.MAX)
    return _ASKED[int(number)]


class Progress(TrainerCallback):
    """Writes a run's events and progress, serves queued generation, and stops when asked."""

    def __init__(self, run: Run, store: RunStore, events: EventLog, serve: Callable[[], None]):
        self.run, self.store, self.events, self.serve = run, store, events, serve
        self.stopped: str | None = None
        self.metrics: dict[str, float] = dict(run.metrics)
        self._stamps: deque[tuple[int, float]] = deque(maxlen=_WINDOW)
        self._saved_at = 0.0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.run = self.store.update(
            self.run.id, step=state.global_step, total_steps=state.max_steps
        )
        self.events.write("start", step=state.global_step, total_steps=state.max_steps)
        self._stamps.append((state.global_step, time.monotonic()))

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._stamps.append((state.global_step, time.monotonic()))
        self._write_progress(state)
        self.serve()
        control.should_log |= state.global_step >= state.max_steps  # always log the last step
        asked = agreed(self.store.stop_asked(self.run))
        if asked:
            self.stopped = asked
            control.should_training_stop = True
            control.should_save = asked == "step"

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        # The Trainer ends a stopped epoch like any other; stopping should not wait for evaluation.
        control.should_evaluate &= self.stopped is None

    def _write_progress(self, state: TrainerState) -> None:
        now = time.monotonic()
        if now - self._saved_at < _SAVE_EVERY and state.global_step < state.max_steps:
            return
        self._saved_at = now
        first_step, first_time = self._stamps[0]
        taken = state.global_step - first_step
        eta = None
        if taken > 0:
            eta = (now - first_time) / taken * (state.max_steps - state.global_step)
        self.run = self.store.update(
            self.run.id,
            step=state.global_step,
            total_steps=state.max_steps,
            eta_s=eta,
            metrics=self.metrics,
        )

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        values = {key: value for key, value in named(logs or {}).items() if _is_number(value)}
        if not values:
            return
        held = {"memory": memory_now()[0]} if "loss" in values else {}
        self.events.write("log", step=state.global_step, **values, **held)
        self.metrics |= values
        if not math.isfinite(values.get("eval_loss", 0.0)):
            raise TrainingError(
                f"The evaluation loss became {values['eval_loss']} at step {state.global_step}. "
                "Lower learning_rate, or look for odd rows in the data; the last complete "
                "checkpoint is kept."
            )

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.events.write("checkpoint", step=state.global_step)


class Samples(TrainerCallback):
    """Lets the model in training answer a few fixed prompts, as often as `time_share` allows.

    `every` is the fewest steps between them.
    """

    def __init__(
        self,
        events: EventLog,
        ask: Callable[[], list[dict[str, Any]]],
        every: int,
        time_share: TimeShare,
    ):
        self.events, self.ask, self.every = events, ask, every
        self.time_share = time_share

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if state.global_step == 0:
            self._write(state)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        scheduled = state.global_step % self.every == 0 or state.global_step == state.max_steps
        if scheduled and self.time_share.due("samples", state):
            self._write(state)

    def _write(self, state: TrainerState) -> None:
        began = time.monotonic()
        for number, sample in enumerate(self.ask()):
            self.events.write("sample", step=state.global_step, number=number, **sample)
        self.time_share.took("samples", state, time.monotonic() - began)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
