"""Two processes under `accelerate launch` on the CPU: the same losses, one log, stop, resume."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from studio import Recipe, Studio
from studio.core.errors import ConfigError
from studio.runs.launch_configs import share
from studio.runs.store import Run
from tests.faults.test_killed_runs import kill_after, losses, shell
from tests.faults.test_what_gives_out import begun
from tests.unit.training.conftest import small

# Each run here loads the libraries three times over.
ALL = pytest.mark.skipif(not os.environ.get("STUDIO_LAUNCH"), reason="run by make test-launch")


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    yield from begun(tmp_path / "home")


def until(studio: Studio, run: Run, step: int) -> None:
    deadline = time.monotonic() + 240
    while max(losses(run), default=0) < step:
        assert studio.runs.get(run.id).live and time.monotonic() < deadline
        time.sleep(0.05)


@ALL
@pytest.mark.slow
@pytest.mark.parametrize("objective", ["sft", "dpo"])
def test_two_processes_learn_what_one_does(objective: str, studio: Studio) -> None:
    """Stopped on the way and resumed, too; DPO starts from an adapter, whose copy is the reference.

    Rows a step are divided by accumulation (SFT) or by the batch (DPO).
    """
    start = studio.wait(studio.train(small("sft", "facts")).id) if objective == "dpo" else None
    recipe = small(
        objective,
        "facts" if objective == "sft" else "taste",
        max_steps=10,
        gradient_accumulation_steps=2 if objective == "sft" else 1,
        sample_steps=5,
        start_from=start and start.id,
    )
    alone = studio.wait(studio.train(recipe).id)
    run = studio.train(recipe.with_(accelerate_config="multi_cpu"))
    until(studio, run, 2)
    studio.stop(run.id)
    stopped = studio.wait(run.id)
    assert (stopped.state, stopped.error) == ("stopped", None)
    assert 2 <= stopped.step < 10 and stopped.adapter is not None
    done = studio.wait(studio.resume(run.id).id)
    assert (done.state, done.error, done.step, done.total_steps) == ("finished", None, 10, 10)
    events = done.events()[0]
    assert [event["step"] for event in events if "loss" in event] == list(range(1, 11))
    assert [event["state"] for event in events if event["kind"] == "state"] == [
        "running",
        "stopped",
        "running",
        "finished",
    ]
    assert any(event["kind"] == "sample" for event in events)
    assert losses(done) == pytest.approx(losses(alone), abs=1e-5)
    assert done.metrics["train_loss"] > 0 and done.adapter is not None


@ALL
def test_what_breaks_in_one_process_is_said(studio: Studio) -> None:
    recipe = small("sft", "facts", accelerate_config="multi_cpu", lora_target_modules="quary")
    run = studio.wait(studio.train(recipe).id)
    assert run.state == "failed" and "quary" in (run.error or "")


@ALL
def test_killed_with_its_studio_it_resumes_as_if_nothing_happened(studio: Studio) -> None:
    home = studio.workspace.home
    settings = small("sft", "facts", max_steps=12, gradient_accumulation_steps=2)
    whole = studio.wait(studio.train(settings).id)
    recipe = home / "several.yaml"
    recipe.write_text(settings.with_(accelerate_config="multi_cpu").to_yaml())
    process = shell(home, "train", str(recipe), "--json")
    killed = kill_after(process, studio.runs, {whole.id}, 5, 0.02)
    assert studio.runs.get(killed).state == "interrupted"
    deadline = time.monotonic() + 20
    while _training(killed):
        assert time.monotonic() < deadline, "its processes outlived the studio"
        time.sleep(0.1)
    resumed = studio.wait(studio.resume(killed).id)
    assert (resumed.state, resumed.step) == ("finished", 12)
    assert losses(resumed) == pytest.approx(losses(whole), abs=1e-5)


def _training(run_id: str) -> list[int]:
    return [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if run_id in (process.info["cmdline"] or [])
    ]


def test_a_steps_rows_are_divided_or_refused() -> None:
    recipe = Recipe.defaults("sft", per_device_train_batch_size=6, gradient_accumulation_steps=2)
    assert share(recipe, 1) == {"per_device_train_batch_size": 6, "gradient_accumulation_steps": 2}
    assert share(recipe, 4) == {"per_device_train_batch_size": 3, "gradient_accumulation_steps": 1}
    for refused, says in (
        ({"accelerate_config": "multi_cpu", "num_processes": 5}, "cannot be split among 5"),
        ({"num_processes": 2}, "needs an accelerate_config"),
        ({"accelerate_config": "zero3", "method": "qlora"}, "4-bit base"),
        ({"accelerate_config": "fsdp2", "method": "pissa"}, "changes at initialization"),
    ):
        with pytest.raises(ConfigError, match=says):
            Recipe.defaults("sft", per_device_train_batch_size=6, **refused)
    with pytest.raises(ConfigError, match="KTO needs at least two rows"):
        Recipe.defaults("kto", per_device_train_batch_size=2, accelerate_config="multi_cpu")
