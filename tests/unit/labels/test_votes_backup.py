"""Votes, runs and data copied to a stand-in of the Hub, and back into an empty workspace."""

from __future__ import annotations

import pytest
from huggingface_hub import constants

from components.label import tab as label_tab
from components.models import library_api
from studio import Recipe, Studio
from studio.core.errors import ConfigError
from studio.labels import LabelStore
from studio.labels.votes_backup import SafeCopies
from tests.hub import standing_in

DATABASES = ["sqlite", "postgresql"]


@pytest.fixture
def hub(monkeypatch, tmp_path):
    with standing_in() as (held, address):
        for name, value in (
            ("ENDPOINT", address),
            ("HF_HUB_OFFLINE", False),
            ("HF_HUB_DISABLE_XET", True),
            ("HF_HUB_CACHE", str(tmp_path / "cache")),
            ("HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}"),
        ):
            monkeypatch.setattr(constants, name, value)
        monkeypatch.setenv("HF_TOKEN", "hf_made_up")
        yield held


def record(store):
    return {
        project.id: (
            project.items,
            project.done,
            project.guideline_version,
            [(i.item_id, i.answer_a, i.votes, i.ruling) for i in store.labelled_pairs(project.id)],
            [store.versions(project.id, i.item_id) for i in store.labelled_pairs(project.id)],
        )
        for project in store.projects()
    }


def test_segments_are_added_and_an_empty_database_is_filled_from_them(
    store, project, make_items, hub, tmp_path
):
    copies = SafeCopies(store, "me/votes", tmp_path / "notes.json")
    assert copies.newest is None
    first = store.next_item(project.id, "ada")
    store.vote(project.id, first.item_id, "ada", "left", note="why")
    assert copies.push() == 1 + 4 + 1 and copies.newest
    assert copies.push() == 0 and len(hub.files) == 1, "nothing new, no segment"
    before = dict(hub.files)
    store.undo(project.id, "ada")
    store.vote(project.id, first.item_id, "ada", "tie")
    store.vote(project.id, first.item_id, "own", "a", turn=2)
    store.revise_guidelines(project.id, "Be kind.")
    store.add_items(project.id, make_items(2, start=10))
    last = store.next_item(project.id, "ben")
    store.vote(project.id, last.item_id, "ben", "b")
    store.retire(project.id, last.item_id + 1)
    copies.push()
    assert {name: hub.files[name] for name in before} == before, "a segment never changes"
    kept = record(store)

    empty = LabelStore(f"sqlite:///{tmp_path / 'back.db'}")
    back = SafeCopies(empty, "me/votes", tmp_path / "back.json")
    assert back.restore() == 5
    assert record(empty) == kept
    assert back.push() == 0, "what came from there need not go there"
    assert back.restore() == 0, "only an empty database is filled"
    assert empty.next_item(project.id, "ada").item_id == first.item_id + 2
    empty.vote(project.id, first.item_id + 2, "ada", "b")
    assert back.push() == 2
    empty.close()


def test_numbers_go_on_after_what_was_restored(store, hub, tmp_path, make_items):
    source = LabelStore(f"sqlite:///{tmp_path / 'source.db'}")
    made = source.create_project("copied", order="given")
    source.add_items(made.id, make_items(3))
    source.vote(made.id, source.next_item(made.id, "ada").item_id, "ada", "a")
    SafeCopies(source, "me/votes", tmp_path / "source.json").push()
    source.close()
    assert SafeCopies(store, "me/votes", tmp_path / "here.json").restore() == 1
    store.add_items(made.id, make_items(2, start=5))
    store.vote(made.id, store.next_item(made.id, "ada").item_id, "ada", "b")
    assert store.progress(made.id, "ada").done == 2


def test_the_page_says_how_old_the_copy_is_and_warns_of_none(tmp_path, monkeypatch, hub):
    monkeypatch.setenv("STUDIO_VOTES_REPO", "me/votes")
    studio = Studio(tmp_path / "home")
    assert label_tab._about(studio, "labels-1")["copy"]["kind"] == "warn"
    hub.refuse = True
    studio.labels.create_project("one")
    studio.copies._try()
    assert "give a token" in label_tab._about(studio, "labels-1")["copy"]["more"]
    hub.refuse = False
    studio.copies._try()
    assert label_tab._about(studio, "labels-1")["copy"] == {
        "kind": "",
        "text": "copied just now",
        "more": "",
    }
    monkeypatch.delenv("STUDIO_VOTES_REPO")
    plain = Studio(tmp_path / "home")
    assert "copy" not in label_tab._about(plain, "labels-1")
    monkeypatch.setenv("SPACE_ID", "me/space")
    assert "vanishes" in label_tab._about(plain, "labels-1")["copy"]["text"]
    with pytest.raises(ConfigError, match="owner/name"):
        SafeCopies(plain.labels, "votes", tmp_path / "notes.json")


def test_runs_and_data_come_back_into_an_empty_workspace(tmp_path, monkeypatch, hub):
    monkeypatch.setenv("STUDIO_RUNS_REPO", "me/runs")
    studio = Studio(tmp_path / "home")
    copies = studio.run_copies
    assert copies.newest is None and "no safe copy yet" in library_api._safety(studio)["text"]
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
    assert copies.push() == 3 and copies.push() == 0, "nothing new, nothing sent"
    studio.runs.delete(deleted.id)
    studio.runs.rename(ended.id, "kept")
    assert copies.push() == 2
    assert library_api._safety(studio)["text"] == "Runs and data: copied just now to me/runs."
    assert not any(name for name in hub.files if deleted.id in name or "checkpoints" in name)
    hub.files[f"runs/{ended.id}/adapter/adapter_model.bin"] = b"a pickle"
    hub.files["runs/../../elsewhere/run.json"] = b"{}"

    back = Studio(tmp_path / "other")
    assert back.run_copies.restore() == 2
    [run] = back.runs.list()
    assert (run.id, run.name, run.state) == (ended.id, "kept", "finished")
    names = sorted(path.name for path in run.folder.rglob("*") if path.is_file())
    assert names == sorted(
        path.name
        for path in ended.folder.rglob("*")
        if path.is_file() and path.name not in ("optimizer.pt", "lock")
    )
    assert back.datasets.get(data.id).page() == data.page()
    assert back.run_copies.push() == 0, "what came from there need not go there"
    assert back.run_copies.restore() == 0, "only an empty workspace is filled"
    assert going.id not in {each.id for each in back.runs.list()}
    hub.refuse = True
    back.runs.rename(run.id, "renamed")
    back.run_copies._try()
    assert "give a token" in library_api._safety(back)["more"]
    monkeypatch.delenv("STUDIO_RUNS_REPO")
    monkeypatch.setenv("SPACE_ID", "ada/studio")
    assert "this disk vanishes" in library_api._safety(Studio(tmp_path / "third"))["text"]
