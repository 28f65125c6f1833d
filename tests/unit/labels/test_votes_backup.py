"""Votes backed up to a stand-in of the Hub, and restored into an empty database."""

from __future__ import annotations

import json

import pytest

from studio.labels import LabelStore
from studio.labels.votes_backup import VotesBackup
from tests.hub import pointing_here

DATABASES = ["sqlite", "postgresql"]


@pytest.fixture
def hub(monkeypatch, tmp_path):
    with pointing_here(monkeypatch, tmp_path / "cache") as held:
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
    backup = VotesBackup(store, "me/votes", tmp_path / "notes.json")
    assert backup.newest is None
    first = store.next_item(project.id, "ada")
    store.vote(project.id, first.item_id, "ada", "left", note="why")
    assert backup.push() == 1 + 4 + 1 and backup.newest
    assert hub.created[0]["visibility"] == "private"
    assert backup.push() == 0 and len(hub.files) == 1, "nothing new, no segment"
    before = dict(hub.files)
    store.undo(project.id, "ada")
    store.vote(project.id, first.item_id, "ada", "tie")
    store.vote(project.id, first.item_id, "own", "a", turn=2)
    store.revise_guidelines(project.id, "Be kind.")
    store.add_items(project.id, make_items(2, start=10))
    last = store.next_item(project.id, "ben")
    store.vote(project.id, last.item_id, "ben", "b")
    store.retire(project.id, last.item_id + 1)
    backup.push()
    assert {name: hub.files[name] for name in before} == before, "a segment never changes"
    kept = record(store)

    empty = LabelStore(f"sqlite:///{tmp_path / 'back.db'}")
    back = VotesBackup(empty, "me/votes", tmp_path / "back.json")
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
    made = source.create_project("restored", order="given")
    source.add_items(made.id, make_items(3))
    source.vote(made.id, source.next_item(made.id, "ada").item_id, "ada", "a")
    VotesBackup(source, "me/votes", tmp_path / "source.json").push()
    source.close()
    assert VotesBackup(store, "me/votes", tmp_path / "here.json").restore() == 1
    store.add_items(made.id, make_items(2, start=5))
    store.vote(made.id, store.next_item(made.id, "ada").item_id, "ada", "b")
    assert store.progress(made.id, "ada").done == 2


def test_segments_of_before_a_migration_are_restored_too(store, make_items, hub, tmp_path):
    project = store.create_project("asked why", order="given", reasons=["short"])
    store.add_items(project.id, make_items(2))
    backup = VotesBackup(store, "me/votes", tmp_path / "notes.json")
    for reasons in ([], ["short"]):
        item = store.next_item(project.id, "ada").item_id
        store.vote(project.id, item, "ada", "a", reasons=reasons)
        backup.push()
    first = min(name for name in hub.files if name.endswith(".jsonl"))
    lines = [json.loads(line) for line in hub.files[first].splitlines()]
    for line in lines:
        if line["table"] == "votes":
            del line["row"]["reasons"]
    hub.files[first] = "".join(json.dumps(line) + "\n" for line in lines).encode()

    empty = LabelStore(f"sqlite:///{tmp_path / 'back.db'}")
    assert VotesBackup(empty, "me/votes", tmp_path / "back.json").restore() == 2
    assert [vote.reasons for vote in empty.history(project.id, "ada")] == [["short"], []]
    empty.close()
