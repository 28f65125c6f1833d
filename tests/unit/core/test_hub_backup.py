"""When backups are made, and what the page says about them."""

from __future__ import annotations

import threading
import time

import pytest

from components.label import tab as label_tab
from studio import Studio
from studio.core.errors import ConfigError, ModelError, WorkspaceError
from studio.core.hub_backup import Backup, backup_age
from studio.labels.votes_backup import VotesBackup
from tests.hub import pointing_here


@pytest.fixture
def hub(monkeypatch, tmp_path):
    with pointing_here(monkeypatch, tmp_path / "cache") as held:
        yield held


class Counted(Backup):
    """Counts its pushes; the second one fails."""

    def __init__(self, notes, every):
        super().__init__("me/backup", notes, every)
        self.pushes, self.twice = 0, threading.Event()

    def push(self):
        self.pushes += 1
        if self.pushes == 2:
            self.twice.set()
            raise OSError("made up")
        return 1


def test_it_pushes_at_start_then_now_and_then_and_at_the_end(tmp_path):
    backup = Counted(tmp_path / "notes.json", every=0.001)
    backup.start()
    assert backup.twice.wait(10), "the timer pushed again"
    backup.close()
    assert backup._thread is not None
    backup._thread.join(10)
    pushes = backup.pushes
    assert not backup._thread.is_alive() and pushes >= 3
    idle = Counted(tmp_path / "notes.json", every=300)
    idle.close()
    assert idle.pushes == 0, "what was never started pushes nothing"
    idle.pushes = 1
    idle._try()
    assert "failed with OSError; see studio.log" in idle.error


def test_an_old_backup_and_unreadable_notes_are_said(tmp_path):
    backup = Counted(tmp_path / "notes.json", every=300)
    assert backup_age(backup)["text"] == "not backed up yet"
    (tmp_path / "notes.json").write_text(f'{{"safe": {time.time() - 7200}}}')
    assert backup_age(backup)["kind"] == "warn"
    (tmp_path / "notes.json").write_text("{")
    with pytest.raises(WorkspaceError, match=r"notes\.json cannot be read; delete it"):
        _ = backup.newest


def test_the_page_says_how_old_the_backup_is_and_warns_of_none(tmp_path, monkeypatch, hub):
    monkeypatch.setenv("STUDIO_VOTES_REPO", "me/votes")
    studio = Studio(tmp_path / "home")
    assert label_tab._about(studio, "labels-1")["copy"]["kind"] == "warn"
    hub.refuse = True
    studio.labels.create_project("one")
    studio.votes_backup._try()
    assert "set HF_TOKEN" in label_tab._about(studio, "labels-1")["copy"]["more"]
    hub.refuse = False
    studio.votes_backup._try()
    assert label_tab._about(studio, "labels-1")["copy"] == {
        "kind": "",
        "text": "backed up just now",
        "more": "",
    }
    monkeypatch.delenv("STUDIO_VOTES_REPO")
    plain = Studio(tmp_path / "home")
    assert "copy" not in label_tab._about(plain, "labels-1")
    monkeypatch.setenv("SPACE_ID", "me/space")
    assert "not persistent" in label_tab._about(plain, "labels-1")["copy"]["text"]
    with pytest.raises(ConfigError, match="owner/name"):
        VotesBackup(plain.labels, "votes", tmp_path / "notes.json")


def test_a_snapshot_is_never_an_older_one_from_the_cache(tmp_path, hub, monkeypatch):
    backup = Counted(tmp_path / "notes.json", every=300)
    hub.files["runs/one.json"] = b"{}"
    folder = backup._snapshot("runs/*")
    assert folder is not None and (folder / "runs" / "one.json").read_bytes() == b"{}"
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ModelError, match="cannot be reached"):
        backup._snapshot("runs/*")
