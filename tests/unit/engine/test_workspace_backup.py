"""A workspace in one archive: as it was, while it is used, and nothing of a damaged one."""

from __future__ import annotations

import io
import tarfile
import threading
from pathlib import Path

import pytest

from studio import Studio
from studio.core.errors import WorkspaceError
from studio.core.workspace import Workspace
from studio.engine import doctor
from studio.engine.workspace_backup import back_up, restore
from studio.labels.types import Pair
from studio.runs import checkpoints
from studio.runs.recipe import Recipe


@pytest.fixture
def studio(home: Path):
    made = Studio(home)
    run = made.runs.create(Recipe.defaults(name="first"))
    (run.folder / "events.jsonl").write_text('{"step": 1}\n{"step": 2}\n{"st')
    checkpoint = run.checkpoints / "checkpoint-2"
    checkpoint.mkdir(parents=True)
    (checkpoint / "weights").write_bytes(b"x" * 1000)
    checkpoints.mark_complete(checkpoint)
    (run.checkpoints / "checkpoint-4").mkdir()
    (run.checkpoints / "checkpoint-4" / "weights").write_bytes(b"half")
    made.runs.update(run.id, state="running")
    made.datasets.from_rows([{"prompt": "a", "completion": "b"}], "prompt_completion", "rows")
    project = made.labels.create_project("first", order="given")
    sides = {"label": "a"}, {"label": "b"}
    made.labels.add_items(project.id, [Pair(f"q{i}", "x", "y", *sides) for i in range(40)])
    made.collection.mark(run.id, star=True)
    (home / "feedback.jsonl").write_text("{}\n")
    (home / "uploads" / "mine.jsonl").write_text("{} without an end of line")
    (home / "studio.log").write_text("yesterday\n")
    yield made
    made.close()


def test_what_is_restored_is_what_was_there(studio: Studio, tmp_path: Path):
    [run] = studio.runs.list()
    with studio.runs.lock(run):  # as while it trains
        made = back_up(studio, tmp_path / "all.tar")
    assert made["files"] > 5 and made["left_out"] == []
    home = Workspace(tmp_path / "there")
    restore(home, tmp_path / "all.tar")
    there = Studio(home.home)
    [copy] = there.runs.list()
    assert (copy.id, copy.state) == (run.id, "interrupted")
    assert (copy.folder / "events.jsonl").read_text() == '{"step": 1}\n{"step": 2}\n'
    assert checkpoints.steps(copy.checkpoints) == [2]
    assert there.datasets.get("rows").load()["completion"] == ["b"]
    assert [project.name for project in there.labels.projects()] == ["first"]
    assert there.collection.get(copy.id).mark.star
    assert (there.workspace.home / "feedback.jsonl").read_text() == "{}\n"
    assert (there.workspace.uploads / "mine.jsonl").read_text() == "{} without an end of line"
    assert not (there.workspace.home / "studio.log").exists()
    assert not [one for one in doctor.examine(there) if one.level == "error"]
    assert not list(home.home.glob(".restore-*"))
    there.close()


def test_votes_go_on_while_a_backup_is_written(studio: Studio, tmp_path: Path):
    """What was acknowledged before the backup began is in it, and nothing half."""
    project = studio.labels.get("first")
    began, acknowledged = threading.Event(), []

    def label() -> None:
        while (shown := studio.labels.next_item(project.id, "ada")) is not None:
            acknowledged.append(studio.labels.vote(project.id, shown.item_id, "ada", "a"))
            if len(acknowledged) == 5:
                began.set()

    voter = threading.Thread(target=label)
    voter.start()
    began.wait(30)
    before = len(acknowledged)
    back_up(studio, tmp_path / "all.tar")
    voter.join()
    restore(Workspace(tmp_path / "there"), tmp_path / "all.tar")
    there = Studio(tmp_path / "there")
    assert before <= there.labels.progress(project.id, "ada").done <= len(acknowledged) == 40
    assert there.labels.damage() == []
    there.close()


def test_parts_can_be_left_out(studio: Studio, tmp_path: Path):
    back_up(studio, tmp_path / "all.tar", without=("runs",))
    with tarfile.open(tmp_path / "all.tar") as tar:
        assert not [name for name in tar.getnames() if name.startswith("runs/")]
    with pytest.raises(WorkspaceError, match="no 'cache' to leave out; there are comparisons"):
        back_up(studio, tmp_path / "other.tar", without=("cache",))
    with pytest.raises(WorkspaceError, match=r"no folder .*nowhere"):
        back_up(studio, tmp_path / "nowhere" / "a.tar")
    with pytest.raises(WorkspaceError, match="exists; name a new file"):
        back_up(studio, tmp_path / "all.tar")


def test_a_workspace_that_holds_something_is_left_alone(studio: Studio, tmp_path: Path):
    back_up(studio, tmp_path / "all.tar")
    with pytest.raises(WorkspaceError, match="already holds"):
        restore(studio.workspace, tmp_path / "all.tar")


@pytest.mark.parametrize("damage", ["cut", "flipped", "no tar", "missing"])
def test_a_damaged_archive_restores_nothing(studio: Studio, tmp_path: Path, damage: str):
    path = tmp_path / "all.tar"
    back_up(studio, path)
    held = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(held[: len(held) // 2])
    elif damage == "flipped":
        held[held.index(b"x" * 1000) + 500] = ord("y")
        path.write_bytes(held)
    elif damage == "no tar":
        path.write_bytes(b"PK" + bytes(2000))
    else:
        path.unlink()
    home = Workspace(tmp_path / "there")
    with pytest.raises(WorkspaceError, match=r"all\.tar"):
        restore(home, path)
    assert not any(home.runs.iterdir()) and not (home.home / "votes.db").exists()


@pytest.mark.parametrize(
    "name", ["../outside", "/etc/passwd", "runs/../../x", ".hidden/x", "cache/x"]
)
def test_an_archive_writes_nowhere_else(tmp_path: Path, name: str):
    path = tmp_path / "evil.tar"
    with tarfile.open(path, "w") as tar:
        entry = tarfile.TarInfo(name)
        entry.size = 1
        tar.addfile(entry, io.BytesIO(b"x"))
    with pytest.raises(WorkspaceError, match="no file of a backup"):
        restore(Workspace(tmp_path / "there"), path)
    assert not (tmp_path / "outside").exists()


def test_links_in_an_archive_are_refused(tmp_path: Path):
    path = tmp_path / "evil.tar"
    with tarfile.open(path, "w") as tar:
        entry = tarfile.TarInfo("runs/x")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc"
        tar.addfile(entry)
    with pytest.raises(WorkspaceError, match="no file of a backup"):
        restore(Workspace(tmp_path / "there"), path)


def entry(name: str, size: int = 0, kind: bytes = tarfile.REGTYPE, **pax: str) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.size, made.type, made.pax_headers, made.linkname = size, kind, pax, "runs/a"
    return made


HOSTILE: dict[str, list[tarfile.TarInfo | str]] = {
    "hard link": [entry("runs/b", kind=tarfile.LNKTYPE)],
    "device": [entry("runs/b", kind=tarfile.CHRTYPE)],
    "pipe": [entry("runs/b", kind=tarfile.FIFOTYPE)],
    "sparse": [
        entry(
            "runs/b",
            **{"GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.name": "runs/b"},
            **{"GNU.sparse.size": str(1 << 50), "GNU.sparse.map": f"{1 << 50},0"},
        )
    ],
    "larger than the archive": [f"22 size={1 << 40}\n", entry("runs/b")],
    "negative": ["11 size=-5\n", entry("runs/b")],
    "size no number": ["13 size=many\n", entry("runs/b")],
    "twice": [entry("runs/b"), entry("runs/b")],
    "a file and a folder": [entry("runs/b"), entry("runs/b/c")],
    "long name": [entry("runs/" + "n" * 300)],
    "NUL": [entry("runs/a", **{"path": "runs/a\0b"})],
    "line end": [entry("runs/a\n\x1b[2Jb")],
    "surrogate": [entry("runs/\udcff")],
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_archive_is_refused_in_a_sentence(tmp_path: Path, kind: str):
    path, home = tmp_path / "evil.tar", Workspace(tmp_path / "there")
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for each in HOSTILE[kind]:
            if isinstance(each, str):  # a pax header as it stands
                pax = entry("pax", len(each), tarfile.XHDTYPE)
                tar.addfile(pax, io.BytesIO(each.encode()))
            else:
                tar.addfile(each, io.BytesIO())
    with pytest.raises(WorkspaceError, match=r"evil\.tar") as said:
        restore(home, path)
    assert str(said.value).isprintable()
    assert not any(home.runs.iterdir()) and not list(home.home.glob(".restore-*"))


def test_a_compressed_archive_is_no_backup(tmp_path: Path):
    with tarfile.open(tmp_path / "bomb.tar", "w:gz") as tar:
        tar.addfile(entry("runs/b", 1 << 24), io.BytesIO(bytes(1 << 24)))
    with pytest.raises(WorkspaceError, match="no whole backup"):
        restore(Workspace(tmp_path / "there"), tmp_path / "bomb.tar")


@pytest.mark.parametrize("manifest", ["[" * 99_999, "[]", '{"digests": {}}', '{"digests": 1}'])
def test_a_manifest_of_another_kind_is_refused(tmp_path: Path, manifest: str):
    with tarfile.open(tmp_path / "evil.tar", "w") as tar:
        tar.addfile(entry("manifest.json", len(manifest)), io.BytesIO(manifest.encode()))
    with pytest.raises(WorkspaceError, match=r"evil\.tar"):
        restore(Workspace(tmp_path / "there"), tmp_path / "evil.tar")


def test_names_that_are_no_text_come_back(studio: Studio, tmp_path: Path):
    names = ["line\nend", "not text \udcff"]
    for name in names:
        (studio.workspace.uploads / name).write_text("kept")
    back_up(studio, tmp_path / "all.tar")
    home = Workspace(tmp_path / "there")
    restore(home, tmp_path / "all.tar")
    assert [(home.uploads / name).read_text() for name in names] == ["kept", "kept"]


def test_a_full_disk_is_said_before(studio: Studio, tmp_path: Path, monkeypatch):
    import shutil

    room = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: room)
    with pytest.raises(WorkspaceError, match="The backup takes about"):
        back_up(studio, tmp_path / "all.tar")
    assert not list(tmp_path.glob("*.tar*"))
