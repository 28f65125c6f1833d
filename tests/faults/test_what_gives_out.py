"""Disk, memory and numbers that give out: the run ends in a sentence, and nothing is lost."""

from __future__ import annotations

import gc
import math
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from studio import Studio
from studio.core.workspace import RESERVE
from studio.runs import checkpoints
from studio.runs.store import Run
from tests.unit.training.conftest import preference_rows, sft_rows, small


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    yield from begun(tmp_path / "home")


def begun(home: Path) -> Iterator[Studio]:
    studio = Studio(home)
    studio.datasets.from_rows(sft_rows(), "prompt_completion", "facts")
    studio.datasets.from_rows(preference_rows(), "preference", "taste")
    yield studio
    studio.close()


def train(studio: Studio, objective: str = "sft", **changes: object) -> Run:
    data = "facts" if objective == "sft" else "taste"
    return studio.wait(studio.train(small(objective, data, **changes)).id)


def test_a_disk_too_small_is_said_before_the_start(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    room(monkeypatch, RESERVE + 3_000_000)
    run = train(studio)
    assert run.state == "failed" and run.step == 0
    assert "has 3.0 MB free" in (run.error or "") and "resume" in (run.error or "")


def test_a_save_that_cannot_fit_keeps_the_one_before(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def shrinking(folder: Path) -> object:
        asked.append(1)
        return Room(10**9 if len(asked) <= 2 else RESERVE + 1_000_000)

    monkeypatch.setattr(checkpoints.shutil, "disk_usage", shrinking)
    run = train(studio, max_steps=6)
    assert run.state == "failed" and "step 2 is kept" in (run.error or "")
    monkeypatch.undo()
    again = studio.wait(studio.resume(run.id).id)
    assert (again.state, again.step) == ("finished", 6)


class Room:
    def __init__(self, free: int):
        self.free = free


def room(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    monkeypatch.setattr(checkpoints.shutil, "disk_usage", lambda folder: Room(free))


@pytest.mark.slow
def test_a_disk_that_fills_up_for_real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small tmpfs; the check beforehand is told that there is room."""
    small_disk = tmp_path / "disk"
    small_disk.mkdir()
    mounted = (
        os.geteuid() == 0
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=9m", "tmpfs", str(small_disk)], capture_output=True
        ).returncode
    )
    if not mounted:
        pytest.skip("mounting a small tmpfs needs root, and may not be allowed here")
    try:
        room(monkeypatch, 10**12)
        for studio in begun(small_disk / "home"):
            run = train(studio, lora_r=16, max_steps=12, save_steps=1, save_total_limit=9)
            assert run.state == "failed", (run.state, run.step)
            assert "could not be written" in (run.error or ""), run.error
            kept = checkpoints.newest(run.checkpoints)
            assert kept is not None and checkpoints.step_of(kept) >= 1
    finally:
        subprocess.run(["umount", "-l", str(small_disk)], check=False)


def exhausted(self: object, *args: object, **kwargs: object) -> object:
    import torch

    held = torch.zeros(1_000_000)  # what a step holds when it runs out
    raise torch.OutOfMemoryError(f"injected, holding {held.numel()} numbers")


@pytest.mark.slow
def test_out_of_memory_says_what_took_it_and_gives_it_back(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from trl import SFTTrainer

    def held(pool: object) -> int:
        gc.collect()
        return sum(x.nbytes for x in gc.get_objects() if isinstance(x, torch.Tensor))

    with monkeypatch.context() as patch:
        patch.setattr(SFTTrainer, "compute_loss", exhausted)
        first = train(studio)
        before = studio.worker.submit(held).result(60)
        for _ in range(6):
            run = train(studio)
        after = studio.worker.submit(held).result(60)
    assert first.state == run.state == "failed"
    assert "largest part is" in (run.error or "") and "cheapest first" in (run.error or "")
    found = [event for event in run.events()[0] if event["kind"] == "memory"]
    assert found[0]["term"] and 1 <= len(found[0]["changes"]) <= 3
    assert after <= before
    assert train(studio, max_steps=1).state == "finished"


@pytest.mark.parametrize("objective", ["sft", "dpo"])
def test_a_gradient_that_is_no_number_stops_before_weights_move(
    objective: str, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loss is fine, and nothing is logged at that step: it must be seen all the same."""
    import torch
    from transformers import Trainer

    ordinary = Trainer._clip_grad_norm

    def poisoned(self: Trainer, model: torch.nn.Module) -> object:
        if self.state.global_step == 4:
            next(p for p in model.parameters() if p.grad is not None).grad.fill_(math.inf)  # pyright: ignore[reportOptionalMemberAccess]
        return ordinary(self, model)

    monkeypatch.setattr(Trainer, "_clip_grad_norm", poisoned)
    run = train(studio, objective, max_steps=8, logging_steps=50)
    assert run.state == "failed" and "gradient norm became" in (run.error or "")
    assert "at step 5" in (run.error or "")
    newest = checkpoints.newest(run.checkpoints)
    assert newest is not None and checkpoints.step_of(newest) == 4


def test_a_truncated_newest_checkpoint_is_passed_over(studio: Studio) -> None:
    run = studio.train(small("sft", "facts", max_steps=24, save_steps=2))
    while studio.runs.get(run.id).step < 4:
        assert studio.runs.get(run.id).live
    studio.stop(run.id)
    stopped = studio.wait(run.id)
    newest = checkpoints.newest(stopped.checkpoints)
    assert newest is not None
    weights = newest / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    before = checkpoints.newest(stopped.checkpoints)
    assert before is not None and checkpoints.step_of(before) < checkpoints.step_of(newest)
    resumed = studio.wait(studio.resume(run.id).id)
    assert (resumed.state, resumed.step) == ("finished", 24)
    gone_on = [event["step"] for event in resumed.events()[0] if event["kind"] == "resume"]
    assert gone_on == [checkpoints.step_of(before)]
