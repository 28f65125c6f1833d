"""Runs on HF Jobs, through the real client against a stand-in for the Hub."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

from studio import Recipe, Studio
from studio.core.errors import ConfigError, ModelError
from studio.engine import hosted_runs
from studio.engine.hosted_runs import MARK, HostedRuns, _Following
from studio.runs.store import Run
from studio.workflows.hosted_offers import offers
from tests.hub import pointing, pointing_here
from tests.hub_jobs import Jobs

TOKEN = "hf_made_up"
RECIPE = Recipe.defaults("sft", dataset_name="pocket-sft", name="hosted")
ADAPTER = {"adapter_config.json": b'{"peft_type": "LORA"}', "adapter_model.safetensors": b"weights"}


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    with pointing_here(monkeypatch, tmp_path / "cache", Jobs) as held:
        yield held


@pytest.fixture
def studio(held: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Studio]:
    """A studio whose jobs' scripts are one line, so that nothing loads."""

    def written(self: _Following, folder: Path) -> Path:
        (folder / "job.py").write_text("print()\n")
        return folder / "job.py"

    monkeypatch.setattr(_Following, "_written", written)
    monkeypatch.setattr(hosted_runs, "_POLL", 0.02)
    studio = opened(tmp_path)
    monkeypatch.setattr(studio.worker, "settle", lambda: None)
    yield studio
    studio.hosted.close()


def opened(folder: Path) -> Studio:
    studio = Studio(folder / "home")
    studio.hosted = HostedRuns(studio.runs, studio.datasets, studio.worker, poll=0.02)
    return studio


def until(true: Callable[[], object]) -> None:
    for _ in range(1000):
        if true():
            return
        time.sleep(0.02)
    raise TimeoutError


def event(kind: str, **values: object) -> str:
    return MARK + json.dumps({"kind": kind, "time": 1.0, **values})


def messages(run: Run, kind: str = "note") -> list[str]:
    return [each["message"] for each in run.events()[0] if each["kind"] == kind]


def test_a_job_becomes_a_run(studio: Studio, held: Any, tmp_path: Path) -> None:
    run = studio.train(RECIPE, on="a10g-small")
    assert run.state == "running"
    until(lambda: held.specs)
    [spec] = held.specs
    repo = f"me/studio-{run.id}"
    assert spec["flavor"] == "a10g-small" and spec["secrets"] == {"HF_TOKEN": TOKEN}
    assert spec["command"] == ["uv", "run", "/studio-run/job.py", "--push-to", repo]
    assert [one["source"] for one in spec["volumes"]] == [repo] and "job.py" in held.files
    assert [one["visibility"] for one in held.created] == ["private"]
    held.log += [event("start", step=0, total_steps=2), "a library says"]
    held.log.append(event("log", step=1, loss=2.5))
    held.stage, held.seconds = "RUNNING", 30
    until(lambda: studio.runs.get(run.id).step == 1)
    held.log += [event("log", step=2, loss=2.0), event("nonsense", step=9), MARK + "{cut"]
    held.files |= ADAPTER
    held.stage, held.seconds = "COMPLETED", 144
    ended = studio.wait(run.id, poll=0.02)
    assert (ended.state, ended.error, ended.step, ended.total_steps) == ("finished", None, 2, 2)
    assert ended.metrics == {"loss": 2.0} and ended.adapter is not None
    assert (ended.adapter / "adapter_model.safetensors").read_bytes() == b"weights"
    assert not (ended.adapter / "job.py").exists()
    losses = [one["loss"] for one in ended.events()[0] if one["kind"] == "log"]
    assert losses == [2.5, 2.0], "each line once"
    assert "144 s of a10g-small at $1.00 an hour: about $0.04." in messages(ended)
    assert "a library says" in (ended.folder / "job.log").read_text()
    kept = [path for path in (tmp_path / "home").rglob("*") if path.is_file()]
    assert not [path for path in kept if TOKEN.encode() in path.read_bytes()]
    assert not any(TOKEN.encode() in body for body in held.files.values())


@pytest.mark.parametrize(
    ("flavor", "status", "words"),
    [
        ("a10g-small", 402, "no credit for HF Jobs"),
        ("a10g-small", 403, "lacks the permission to run jobs"),
        ("a10g-small", 500, "could not start a job just now"),
        ("a10g-smal", None, 'Did you mean "a10g-small"'),
        ("l4x4", None, "l4x4 has 4 GPUs, and a job trains on one"),
    ],
)
def test_what_the_hub_refuses_is_one_sentence(
    flavor: str, status: int | None, words: str, studio: Studio, held: Any
) -> None:
    held.refused = status
    if status is None:
        with pytest.raises(ConfigError, match=words):
            studio.train(RECIPE, on=flavor)
        assert not studio.runs.list()
        return
    ended = studio.wait(studio.train(RECIPE, on=flavor).id, poll=0.02)
    assert ended.state == "failed" and words in (ended.error or "")
    held.refused, held.stage = None, "COMPLETED"
    held.files |= ADAPTER
    assert studio.wait(studio.resume(ended.id).id, poll=0.02).state == "finished"


def test_without_a_login_or_a_way_to_write_it_nothing_starts(
    studio: Studio, held: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    online = Recipe.defaults("grpo", reward_funcs="exact", dataset_name="pocket-sft")
    with pytest.raises(ConfigError, match="rewards are the studio's own"):
        studio._hosted_job(online, "a10g-small")
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    with pytest.raises(ConfigError, match="Log in to the Hub first"):
        studio.train(RECIPE, on="a10g-small")
    with pytest.raises(ConfigError, match="Log in to the Hub first"):
        offers(studio, RECIPE)
    assert not held.specs and not studio.runs.list()


def test_a_lost_connection_and_a_failed_job(studio: Studio, held: Any) -> None:
    run = studio.train(RECIPE, on="t4-small")
    until(lambda: held.specs)
    held.down, held.stage = True, "RUNNING"
    until(lambda: messages(studio.runs.get(run.id)))
    held.log += ["Traceback", "ValueError: out of luck"]
    held.down = False
    until(lambda: len(messages(studio.runs.get(run.id))) > 1)
    lost, back = messages(studio.runs.get(run.id))[:2]
    assert "cannot be reached" in lost and "The job goes on" in lost and "again" in back
    held.message, held.stage = "Exit code 1", "ERROR"
    ended = studio.wait(run.id, poll=0.02)
    assert ended.state == "failed" and ended.error is not None
    assert "(Exit code 1). Its log ends: Traceback / ValueError: out of luck" in ended.error


def test_stopping_cancels_the_job(studio: Studio, held: Any) -> None:
    run = studio.train(RECIPE, on="t4-small")
    until(lambda: held.looks)
    studio.stop(run.id)
    assert studio.wait(run.id, poll=0.02).state == "stopped"
    assert held.cancelled == ["job-1"]


def test_a_restarted_app_takes_the_run_up(
    studio: Studio, held: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run = studio.train(RECIPE, on="t4-small")
    held.stage = "RUNNING"
    held.log += [event("start", step=0, total_steps=2), event("log", step=1, loss=2.5)]
    until(lambda: studio.runs.get(run.id).step == 1)
    studio.hosted.close()
    assert studio.runs.get(run.id).state == "interrupted"
    again = opened(tmp_path)
    monkeypatch.setattr(again.worker, "start", lambda: None)
    again.warm_up()
    until(lambda: again.runs.get(run.id).state == "running")
    held.log.append(event("log", step=2, loss=2.0))
    held.files |= ADAPTER
    held.stage = "COMPLETED"
    ended = again.wait(run.id, poll=0.02)
    losses = [one["loss"] for one in ended.events()[0] if one["kind"] == "log"]
    assert ended.state == "finished" and losses == [2.5, 2.0] and len(held.specs) == 1
    again.close()


def test_a_result_that_was_not_there_is_fetched_by_resuming(studio: Studio, held: Any) -> None:
    run = studio.train(RECIPE, on="t4-small")
    held.stage = "COMPLETED"
    ended = studio.wait(run.id, poll=0.02)
    assert ended.state == "failed" and "safetensors" in (ended.error or "")
    held.files |= ADAPTER
    assert studio.wait(studio.resume(run.id).id, poll=0.02).state == "finished"
    assert len(held.specs) == 1


def test_offers_say_what_fits_and_what_it_costs(studio: Studio, held: Any) -> None:
    found = offers(studio, RECIPE)
    assert [each.flavor.name for each in found] == ["t4-small", "a10g-small"]
    assert found[0].label().startswith("t4-small · fits · $0.01")
    assert found[0].label().endswith(" · $0.40 an hour · T4 16 GB")
    assert found[0].dollars is not None and found[0].dollars[0] <= found[0].dollars[1]
    large = RECIPE.with_(per_device_train_batch_size=4096, max_length=4096)
    assert {each.verdict for each in offers(studio, large)} == {"does not fit"}
    held.down = True
    with pytest.raises(ModelError, match="cannot be reached"):
        hosted_runs.hub_jobs.look("job-1", "me")


@pytest.mark.slow
def test_the_script_that_is_sent_trains_pushes_and_comes_back(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The job's own script, run here as the Hub's machine would, against the same stand-in."""
    recipe = RECIPE.with_(max_steps=2, per_device_train_batch_size=2, max_length=64)
    with pointing_here(monkeypatch, tmp_path / "cache", Jobs) as held:
        studio = opened(tmp_path)
        run = studio.train(recipe, on="t4-small")
        until(lambda: held.specs or not studio.runs.get(run.id).live)
        (tmp_path / "machine").mkdir()
        script = tmp_path / "machine" / "job.py"
        script.write_bytes(held.files["job.py"])
        done = subprocess.run(
            [sys.executable, "job.py", *held.specs[0]["command"][3:]],
            cwd=script.parent,
            env=os.environ | pointing(constants.ENDPOINT) | {"HF_TOKEN": TOKEN},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        held.log += done.stdout.splitlines()
        held.stage, held.seconds = "COMPLETED", 60
        ended = studio.wait(run.id, poll=0.02)
        assert (ended.state, ended.step, ended.total_steps) == ("finished", 2, 2)
        losses = [one for one in ended.events()[0] if one["kind"] == "log" and "loss" in one]
        assert [one["step"] for one in losses] == [1, 2]
        samples = [one for one in ended.events()[0] if one["kind"] == "sample"]
        assert {one["step"] for one in samples} >= {0, 2}
        assert all(one["prompt"] and "<|" not in one["answer"] for one in samples)
        studio.worker.submit(lambda pool: pool.try_adapter(ended, studio.runs)).result(120)
        studio.close()
