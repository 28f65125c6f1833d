"""Runs and data backed up to a stand-in of the Hub, and restored into an empty workspace."""

from __future__ import annotations

import pytest

from components.models import library_api
from studio import Recipe, Studio
from studio.engine.run_backup import is_ephemeral_disk
from studio.runs.checkpoints import mark_complete, newest, step_of
from tests.hub import pointing_here


@pytest.fixture
def hub(monkeypatch, tmp_path):
    with pointing_here(monkeypatch, tmp_path / "cache") as held:
        yield held


def test_runs_and_data_come_back_into_an_empty_workspace(tmp_path, monkeypatch, hub):
    monkeypatch.setenv("STUDIO_RUNS_REPO", "me/runs")
    studio = Studio(tmp_path / "home")
    backup = studio.run_backup
    assert backup.newest is None and "not backed up yet" in library_api._safety(studio)["text"]
    data = studio.datasets.from_rows([{"text": "a"}, {"text": "b"}], "language_modeling", "words")
    recipe = Recipe.defaults("sft", dataset_name=data.id, name="made")
    going, ended, deleted = (studio.runs.create(recipe) for _ in range(3))
    for run in (ended, deleted):
        for name in (
            "adapter/adapter_config.json",
            "adapter/adapter_model.safetensors",
            "checkpoints/checkpoint-1/optimizer.pt",
        ):
            (run.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (run.folder / name).write_text(name)
        studio.runs.update(run.id, state="finished")
    assert backup.push() == 3 and backup.push() == 0, "nothing new, nothing sent"
    studio.runs.delete(deleted.id)
    studio.runs.rename(ended.id, "kept")
    assert backup.push() == 2
    assert library_api._safety(studio)["text"] == "Runs and data: backed up just now to me/runs."
    assert not any(name for name in hub.files if deleted.id in name or "checkpoints" in name)
    hub.files[f"runs/{ended.id}/adapter/adapter_model.bin"] = b"a pickle"
    hub.files["runs/../../elsewhere/run.json"] = b"{}"
    hub.files["elsewhere/run.json"] = b"{}"

    back = Studio(tmp_path / "other")
    assert back.run_backup.restore() == 2
    [run] = back.runs.list()
    assert (run.id, run.name, run.state) == (ended.id, "kept", "finished")
    names = sorted(path.name for path in run.folder.rglob("*") if path.is_file())
    assert names == sorted(
        path.name
        for path in ended.folder.rglob("*")
        if path.is_file() and path.name not in ("optimizer.pt", "lock")
    )
    assert back.datasets.get(data.id).page() == data.page()
    assert back.run_backup.push() == 0, "what came from there need not go there"
    assert back.run_backup.restore() == 0, "only an empty workspace is filled"
    assert going.id not in {each.id for each in back.runs.list()}
    hub.refuse = True
    back.runs.rename(run.id, "renamed")
    back.run_backup._try()
    assert "set HF_TOKEN" in library_api._safety(back)["more"]
    monkeypatch.delenv("STUDIO_RUNS_REPO")
    monkeypatch.setenv("SPACE_ID", "ada/studio")
    assert "not persistent" in library_api._safety(Studio(tmp_path / "third"))["text"]


def test_only_a_space_outside_its_storage_has_an_ephemeral_disk(tmp_path, monkeypatch):
    assert not is_ephemeral_disk(tmp_path)
    monkeypatch.setenv("SPACE_ID", "ada/studio")
    assert is_ephemeral_disk(tmp_path) and not is_ephemeral_disk(tmp_path / "/data/home")


@pytest.mark.slow
def test_a_run_resumes_on_an_empty_disk(tmp_path, monkeypatch, hub):
    """A run whose process is gone with its disk: the next one resumes it from the Hub's copy."""
    monkeypatch.setenv("STUDIO_RUNS_REPO", "me/runs")
    studio = Studio(tmp_path / "home")
    settings = {"max_steps": 8, "save_steps": 2, "sample_steps": 0, "max_length": 64}
    settings |= {"per_device_train_batch_size": 2, "lora_r": 4}
    recipe = Recipe.defaults("sft", dataset_name="pocket-sft", name="going", **settings)
    seen = []

    def watch(event):
        seen.append(event["kind"])
        if seen.count("checkpoint") == 2 and event["kind"] == "checkpoint":
            studio.stop(run.id, now=True)

    run = studio.train(recipe)
    stopped = studio.wait(run.id, watch, poll=0.01)
    studio.close()
    assert stopped.state == "stopped" and stopped.adapter is None
    studio.runs.update(run.id, state="running")  # as a machine that was taken away leaves it
    sent = newest(stopped.checkpoints)
    assert studio.run_backup.push() == 2 and studio.run_backup.push() == 0
    there = [name for name in hub.files if "checkpoints" in name]
    assert there and all(sent.name in name for name in there), "the newest one alone"
    assert not [name for name in there if name.endswith("training_args.bin")]
    hub.files[f"runs/{run.id}/checkpoints/{sent.name}/more.bin"] = b"a pickle"

    back = Studio(tmp_path / "other")
    assert back.run_backup.restore() == 2
    [again] = back.runs.list()
    assert again.state == "queued" and newest(again.checkpoints).name == sent.name
    assert not list(again.checkpoints.rglob("*.bin"))
    back.warm_up()
    ended = back.wait(run.id)
    assert (ended.state, ended.error, ended.step) == ("finished", None, 8)
    resumed = [event["step"] for event in ended.events()[0] if event["kind"] == "resume"]
    assert resumed == [step_of(sent)]
    back.run_backup.push()
    back.close()
    assert not [name for name in hub.files if "checkpoints" in name]
    assert any(name.startswith(f"runs/{run.id}/adapter/") for name in hub.files)


def test_checkpoints_are_a_setting(tmp_path, monkeypatch, hub):
    monkeypatch.setenv("STUDIO_RUNS_REPO", "me/runs")
    studio = Studio(tmp_path / "home")
    run = studio.runs.create(Recipe.defaults("sft", dataset_name="pocket-sft"))
    for step in (2, 4):
        folder = run.checkpoints / f"checkpoint-{step}"
        folder.mkdir(parents=True)
        (folder / "optimizer.pt").write_text("states")
        (folder / "training_args.bin").write_text("a pickle")
        mark_complete(folder)
    monkeypatch.setenv("STUDIO_RUNS_CHECKPOINTS", "0")
    assert studio.run_backup.push() == 0
    monkeypatch.delenv("STUDIO_RUNS_CHECKPOINTS")
    assert studio.run_backup.push() == 1
    studio.runs.update(run.id, state="stopped")
    assert studio.run_backup.push() == 1, "a stop is known there too"
    assert Studio(tmp_path / "other").run_backup.restore() == 1
    [back] = Studio(tmp_path / "other").runs.list()
    assert back.state == "stopped" and newest(back.checkpoints).name == "checkpoint-4"
    studio.runs.delete(run.id)
    assert studio.run_backup.push() == 1
    assert not [name for name in hub.files if name.startswith("runs/")]
