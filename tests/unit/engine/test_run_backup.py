"""Runs and data backed up to a stand-in of the Hub, and restored into an empty workspace."""

from __future__ import annotations

import pytest

from components.models import library_api
from studio import Recipe, Studio
from studio.engine.run_backup import is_ephemeral_disk
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
