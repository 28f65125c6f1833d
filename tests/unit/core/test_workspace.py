"""Where things live: ids, paths, and files that are whole or not there."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from studio.core import workspace
from studio.core.errors import DataError, WorkspaceError
from studio.core.workspace import (
    Workspace,
    default_home,
    new_id,
    secret_id,
    write_durably,
    write_json,
    written_whole,
)
from studio.data import DatasetStore


def test_home_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("STUDIO_HOME", str(tmp_path / "here"))
    assert default_home() == tmp_path / "here"
    monkeypatch.delenv("STUDIO_HOME")
    assert default_home().name == "alignment-studio"


def test_a_workspace_makes_its_folders(tmp_path):
    home = Workspace(tmp_path / "new")
    assert home.runs.is_dir() and home.datasets.is_dir() and home.exports.is_dir()
    assert home.free_bytes() > 0


def test_ids_are_fresh_and_safe():
    made = {new_id("run") for _ in range(20)}
    assert len(made) == 20
    assert all(identifier.startswith("run-") for identifier in made)


def test_ids_that_give_access_cannot_be_guessed(tmp_path):
    made = {secret_id("chat").rsplit("-", 1)[1] for _ in range(20)}
    assert len(made) == 20 and all(len(bytes.fromhex(part)) == 16 for part in made)
    home = Workspace(tmp_path)
    assert home.folder("comparisons", secret_id("chat")).parent == home.comparisons
    assert home.take_in([]) == [] and len(next(home.uploads.iterdir()).name) > 32


@pytest.mark.parametrize("name", ["", "..", "../x", "run", "/etc/passwd", "run-1/../..", "a name"])
def test_only_an_id_becomes_a_path(tmp_path, name):
    with pytest.raises(WorkspaceError, match="not an id"):
        Workspace(tmp_path).folder("runs", name)


def test_an_id_becomes_a_folder_inside(tmp_path):
    home = Workspace(tmp_path)
    identifier = new_id("run")
    assert home.folder("runs", identifier) == home.runs / identifier


def test_a_home_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(WorkspaceError, match="STUDIO_HOME"):
        Workspace(tmp_path / "file" / "home")


def test_durable_writes_replace_whole_files(tmp_path):
    path = tmp_path / "state.json"
    write_json(path, {"step": 1})
    write_json(path, {"step": 2})
    assert json.loads(path.read_text()) == {"step": 2}
    assert [entry.name for entry in tmp_path.iterdir()] == ["state.json"]


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "state"
    write_durably(path, "old")

    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", refuse)
    with pytest.raises(WorkspaceError, match="No space left"):
        write_durably(path, "new")
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["state"]


@pytest.mark.parametrize(
    ("mounted", "url", "said"),
    [
        ("nfs4", "", "nfs4"),
        ("fuse.s3fs", "", "fuse.s3fs"),
        ("ext4", "", None),
        ("nfs4", "postgresql+psycopg://somewhere/votes", None),
    ],
)
def test_a_database_file_on_a_network_disk_is_warned_of(tmp_path, monkeypatch, mounted, url, said):
    from types import SimpleNamespace

    import psutil

    mounts = [("/", "ext4"), (str(tmp_path), mounted), (f"{tmp_path}/elsewhere", "nfs")]
    found = [SimpleNamespace(mountpoint=where, fstype=kind) for where, kind in mounts]
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: found)
    monkeypatch.setenv("STUDIO_DATABASE_URL", url)
    assert Workspace(tmp_path / "home").network_disk() == said


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    out = tmp_path / "rows.jsonl"
    out.write_text("before")
    with pytest.raises(WorkspaceError, match="could not be written"), written_whole(out) as part:
        part.write_text("half")
        raise OSError(28, "No space left on device")
    assert (out.read_text(), list(tmp_path.iterdir())) == ("before", [out])
    with written_whole(out) as part:
        part.write_text("after")
    assert (out.read_text(), list(tmp_path.iterdir())) == ("after", [out])


def test_files_of_one_name_are_both_taken_in(tmp_path):
    home = Workspace(tmp_path / "home")
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "rows.jsonl").write_text(place)
    kept = home.take_in([tmp_path / "one/rows.jsonl", tmp_path / "two/rows.jsonl"])
    assert [path.name for path in kept] == ["rows.jsonl", "2-rows.jsonl"]
    assert [path.read_text() for path in kept] == ["one", "two"]
    assert kept[0].parent.parent == home.uploads
    again = home.take_in([tmp_path / "one/rows.jsonl"])
    assert again[0].read_text() == "one" and again[0] != kept[0]
    with pytest.raises(DataError, match=r"rows\.jsonl is gone; upload it again"):
        home.take_in([tmp_path / "three/rows.jsonl"])


def test_files_from_another_disk_are_copied(tmp_path, monkeypatch):
    def refused(*_):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr("os.link", refused)
    (tmp_path / "rows.jsonl").write_text("one")
    [kept] = Workspace(tmp_path / "home").take_in([tmp_path / "rows.jsonl"])
    assert kept.read_text() == "one" and (tmp_path / "rows.jsonl").exists()


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What is synced and renamed, in order, by the names at that moment."""
    seen: list[tuple[str, str]] = []
    fsync, rename, replace = os.fsync, Path.rename, os.replace

    def synced(handle: int) -> None:
        seen.append(("sync", Path(os.readlink(f"/proc/self/fd/{handle}")).name))
        fsync(handle)

    def renamed(source: Path, target: Path) -> Path:
        seen.append(("rename", Path(target).name))
        return rename(source, target)

    def replaced(source: Path, target: Path) -> None:
        seen.append(("rename", Path(target).name))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "rename", renamed)
    monkeypatch.setattr(os, "replace", replaced)
    return seen


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="files are told by /proc")
def test_what_is_acknowledged_outlives_a_power_failure(tmp_path: Path, calls) -> None:
    """Each file, its folders, the rename, then the folder that holds the name."""
    half = tmp_path / ".half"
    (half / "inner").mkdir(parents=True)
    (half / "a").write_text("a")
    (half / "inner" / "b").write_text("b")
    workspace.put_in_place(half, tmp_path / "whole")
    at = calls.index(("rename", "whole"))
    assert {name for kind, name in calls[:at]} == {"a", "b", "inner", ".half"}
    assert calls[at + 1 :] == [("sync", tmp_path.name)]
    calls.clear()
    workspace.write_json(tmp_path / "run.json", {})
    (first, kept), *rest = calls
    assert first == "sync" and kept.startswith(".run.json")
    assert rest == [("rename", "run.json"), ("sync", tmp_path.name)]


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="files are told by /proc")
def test_a_prepared_dataset_outlives_a_power_failure(tmp_path: Path, calls) -> None:
    store = DatasetStore(Workspace(tmp_path))
    made = store.from_rows([{"prompt": "a", "completion": "b"}], "prompt_completion", "rows")
    at = calls.index(("rename", made.id))
    assert {"train.parquet", "dataset.json", f".{made.id}"} <= {name for _, name in calls[:at]}
    assert ("sync", "datasets") in calls[at:]
