"""Votes copied to a stand-in of the Hub, and back into an empty database: the same record."""

from __future__ import annotations

import pytest
from huggingface_hub import constants

from components import label_tab
from studio import Studio
from studio.errors import ConfigError
from studio.preference import LabelStore
from studio.preference.copies import SafeCopies
from tests.hub import standing_in

DATABASES = ["sqlite", "postgresql"]


@pytest.fixture
def hub(monkeypatch, tmp_path):
    with standing_in() as (held, address):
        for name, value in (("ENDPOINT", address), ("HF_HUB_OFFLINE", False),
                            ("HF_HUB_CACHE", str(tmp_path / "cache")),
                            ("HUGGINGFACE_CO_URL_TEMPLATE",
                             address + "/{repo_id}/resolve/{revision}/{filename}")):  # fmt: skip
            monkeypatch.setattr(constants, name, value)
        monkeypatch.setenv("HF_TOKEN", "hf_made_up")
        yield held


def record(store):
    return {
        project.id: (
            project.items, project.done, project.guideline_version,
            [(i.item_id, i.answer_a, i.votes, i.ruling) for i in store.judged(project.id)],
            [store.versions(project.id, i.item_id) for i in store.judged(project.id)],
        )
        for project in store.projects()
    }  # fmt: skip


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
        "kind": "", "text": "copied just now", "more": "",
    }  # fmt: skip
    monkeypatch.delenv("STUDIO_VOTES_REPO")
    plain = Studio(tmp_path / "home")
    assert "copy" not in label_tab._about(plain, "labels-1")
    monkeypatch.setenv("SPACE_ID", "me/space")
    assert "vanishes" in label_tab._about(plain, "labels-1")["copy"]["text"]
    with pytest.raises(ConfigError, match="owner/name"):
        SafeCopies(plain.labels, "votes", tmp_path / "notes.json")
