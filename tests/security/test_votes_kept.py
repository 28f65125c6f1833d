"""Votes are acknowledged only where they can be found again."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
from pathlib import Path

import pytest

from studio.core.errors import StudioError, WorkspaceError
from studio.labels import LabelStore, Pair

FILES = ("votes.db", "votes.db-wal", "votes.db-shm")


@pytest.fixture
def store(tmp_path: Path):
    store = LabelStore(f"sqlite:///{tmp_path}/votes.db")
    store.create_project("kept", order="given")
    store.add_items(store.projects()[0].id, [Pair(f"q{n}", f"a{n}", f"b{n}") for n in range(9)])
    yield store
    store.close()


def vote(store: LabelStore) -> int:
    """Vote on the next item; how many votes the file on disk holds then."""
    project = store.projects()[0]
    shown = store.next_item(project.id, "ada")
    assert shown is not None
    store.vote(project.id, shown.item_id, "ada", "left")
    return store.progress(project.id, "ada").done


def on_disk(folder: Path) -> int:
    with sqlite3.connect(f"file:{folder}/votes.db?mode=ro", uri=True) as db:
        return db.execute("SELECT count(*) FROM votes").fetchone()[0]


def test_a_vote_into_a_removed_file_is_refused(store: LabelStore, tmp_path: Path) -> None:
    assert vote(store) == 1
    project, gone = store.projects()[0], tmp_path / "gone"
    with pytest.raises(WorkspaceError, match="removed or replaced"), store._db.writing():
        gone.mkdir()
        for name in FILES:
            shutil.move(tmp_path / name, gone / name)
    with pytest.raises(StudioError):
        store.vote(project.id, 1, "ada", "left")


def test_a_restored_file_is_opened_again(store: LabelStore, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    vote(store)
    with sqlite3.connect(tmp_path / "votes.db") as db, sqlite3.connect(copy / "votes.db") as to:
        db.backup(to)
    vote(store)
    for name in FILES:
        (tmp_path / name).unlink(missing_ok=True)
    os.replace(copy / "votes.db", tmp_path / "votes.db")
    assert vote(store) == 2  # the one that was restored, and this
    assert on_disk(tmp_path) == 2


def test_whoever_was_writing_meanwhile_is_refused_too(store: LabelStore, tmp_path: Path) -> None:
    """Another thread opens the new file between the old one's transaction and its commit."""
    vote(store)
    errors: list[Exception] = []
    begun, replaced = threading.Event(), threading.Event()

    def slow() -> None:
        try:
            with store._db.writing():
                begun.set()
                replaced.wait(30)
        except WorkspaceError as error:
            errors.append(error)

    thread = threading.Thread(target=slow)
    thread.start()
    assert begun.wait(30)
    for name in FILES:
        (tmp_path / name).unlink(missing_ok=True)
    assert store.projects() == []  # reads the new file
    replaced.set()
    thread.join()
    assert [type(error) for error in errors] == [WorkspaceError]
