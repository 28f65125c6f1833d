"""Callbacks: what a stop skips."""

from __future__ import annotations

from pathlib import Path

from transformers import TrainerControl, TrainerState, TrainingArguments

from studio import Studio
from studio.runs.events import EventLog
from studio.runs.store import Run
from studio.training.callbacks import Progress


def test_a_stop_does_not_wait_for_an_evaluation(studio: Studio, sft: Run, tmp_path: Path) -> None:
    progress = Progress(sft, studio.runs, EventLog(tmp_path / "events.jsonl"), lambda: None)
    for asked, evaluates in ((None, True), ("step", False), ("now", False)):
        progress.stopped, control = asked, TrainerControl(should_evaluate=True)
        progress.on_epoch_end(TrainingArguments(str(tmp_path)), TrainerState(), control)
        assert control.should_evaluate is evaluates
