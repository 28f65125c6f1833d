"""What `studio doctor` finds: each kind of damage by name, and nothing in a whole workspace."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import save_file

from studio import Studio
from studio.engine import doctor
from studio.runs import checkpoints
from studio.runs.recipe import Recipe
from studio.runs.store import Run

ROW = [{"prompt": "a", "completion": "b"}]


@pytest.fixture
def studio(home: Path):
    made = Studio(home)
    yield made
    made.close()


@pytest.fixture
def run(studio: Studio) -> Run:
    """A finished run with an adapter and one complete checkpoint."""
    made = studio.runs.create(Recipe.defaults(name="first"))
    for folder in (made.folder / "adapter", made.checkpoints / "checkpoint-2"):
        folder.mkdir(parents=True)
        save_file({"a": torch.ones(8)}, folder / "adapter_model.safetensors")
        (folder / "adapter_config.json").write_text("{}")
    checkpoints.mark_complete(made.checkpoints / "checkpoint-2")
    return studio.runs.update(made.id, state="finished")


def found(studio: Studio) -> dict[str, doctor.Finding]:
    """Findings by where, without what is said of this machine."""
    about = [one for one in doctor.examine(studio) if one.level != "warning"]
    return {one.where: one for one in about}


def flip(path: Path) -> None:
    """Change one byte in the middle; the length stays."""
    held = bytearray(path.read_bytes())
    held[len(held) // 2] ^= 1
    path.write_bytes(held)


def test_a_whole_workspace_has_nothing_wrong(studio: Studio, run: Run):
    studio.datasets.from_rows(ROW, "prompt_completion", "rows")
    studio.labels.create_project("first")
    assert found(studio) == {}
    assert doctor.summary([]) == "Nothing is wrong."


def test_a_changed_checkpoint_is_named_and_set_aside(studio: Studio, run: Run):
    flip(run.checkpoints / "checkpoint-2" / "adapter_model.safetensors")
    one = found(studio)["first"]
    assert one.level == "error"
    assert "checkpoint-2 holds other bytes in adapter_model.safetensors" in one.what
    assert doctor.mend([one]) == [one]
    assert (run.checkpoints / "damaged-checkpoint-2").is_dir()
    assert found(studio) == {}


def test_an_incomplete_checkpoint_goes_but_not_under_a_live_run(studio: Studio, run: Run):
    half = run.checkpoints / "checkpoint-4"
    half.mkdir()
    with studio.runs.lock(run):
        assert found(studio) == {}
    one = found(studio)["first"]
    assert one.level == "note" and "checkpoint-4 was never completed" in one.what
    doctor.mend([one])
    assert not half.exists()


@pytest.mark.parametrize(("cut", "why"), [(4, "is cut short"), (100, "has no readable header")])
def test_a_torn_adapter(studio: Studio, run: Run, cut: int, why: str):
    weights = run.folder / "adapter" / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-cut])
    assert why in found(studio)["first"].what


def test_a_result_that_changed_since_it_was_written(studio: Studio, run: Run):
    adapter = run.folder / "adapter"
    checkpoints.mark_complete(adapter)
    assert found(studio) == {}
    flip(adapter / "adapter_model.safetensors")
    assert "adapter holds other bytes in adapter_model.safetensors" in found(studio)["first"].what
    (adapter / "adapter_model.safetensors").write_bytes(b"")
    assert "adapter lacks files, or holds shorter ones" in found(studio)["first"].what


def test_a_damaged_record_of_each_kind(studio: Studio, run: Run):
    data = studio.datasets.from_rows(
        [{"prompt": "a", "completion": "b"}], "prompt_completion", "rows"
    )
    studio.collection.mark(run.id, star=True)
    (run.folder / "run.json").write_text("[]")
    (data.folder / "dataset.json").write_text('{"id":')
    library = studio.workspace.home / "library.json"
    library.write_text("5")
    (studio.workspace.home / "pairs").mkdir(exist_ok=True)
    (studio.workspace.home / "pairs" / "project-x.json").write_text("")
    damaged = found(studio)
    assert set(damaged) == {run.id, data.id, "library.json", "project-x.json"}
    assert all("damaged" in one.what for one in damaged.values())
    doctor.mend(damaged.values())
    assert not library.exists()
    assert list(studio.workspace.home.glob("library.json.damaged-*"))
    assert set(found(studio)) == {run.id, data.id}


def test_rows_that_are_gone(studio: Studio):
    data = studio.datasets.from_rows(
        [{"prompt": str(i), "completion": "b"} for i in range(3)], "prompt_completion", "rows"
    )
    table = pq.read_table(data.path())
    pq.write_table(table.slice(0, 2), data.path())
    assert "train holds 2 rows and its record says 3" in found(studio)["rows"].what
    data.path().write_bytes(b"PAR1")
    assert "cannot be read" in found(studio)[data.id].what
    assert isinstance(table, pa.Table)


def test_what_refers_to_what_is_gone(studio: Studio, run: Run):
    lost = studio.runs.create(Recipe.defaults("dpo", name="second", start_from=run.id))
    studio.collection.mark(run.id, star=True)
    run.folder.rename(studio.workspace.home / "elsewhere")
    said = {(one.where, one.level) for one in doctor.examine(studio)}
    assert ("second", "warning") in said
    assert lost.parent == run.id
    one = found(studio)["library.json"]
    assert run.id in one.what
    doctor.mend([one])
    assert json.loads((studio.workspace.home / "library.json").read_text()) == {}


def test_a_damaged_votes_database(studio: Studio):
    project = studio.labels.create_project("first")
    assert project.name == "first"
    studio.labels.close()
    path = studio.workspace.home / "votes.db"
    held = bytearray(path.read_bytes())
    held[4096 : 4096 + 64] = bytes(64)  # the head of the second page: a tree that is no tree
    path.write_bytes(held)
    said = " ".join(one.what for one in doctor.examine(studio) if one.where == "votes")
    assert "damaged" in said or "could not be used" in said


def test_what_is_half_written_goes_after_a_day(studio: Studio):
    half = studio.workspace.exports / ".export-20260101-000000-abcd.part-1"
    half.mkdir()
    assert found(studio) == {}
    old = time.time() - 2 * 86400
    os.utime(half, (old, old))
    one = found(studio)[f"exports/{half.name}"]
    doctor.mend([one])
    assert not half.exists()


def test_nothing_behind_a_link_is_deleted(studio: Studio, run: Run, tmp_path: Path):
    """Folders that lead out of the workspace are somebody's own; a link goes, its target stays."""
    outside, old = tmp_path / "outside", time.time() - 2 * 86400
    (outside / "checkpoint-9").mkdir(parents=True)
    for name in ("hidden", "checkpoint-9/weights"):
        (outside / name.replace("hidden", ".hidden")).write_text("mine")
    os.utime(outside / ".hidden", (old, old))
    (studio.workspace.home / "linked").symlink_to(outside)
    (studio.workspace.exports / ".gone").symlink_to(tmp_path / "nowhere")
    (studio.workspace.exports / ".folder").symlink_to(outside)
    for name in (".gone", ".folder"):
        os.utime(studio.workspace.exports / name, (old, old), follow_symlinks=False)
    (run.folder / "checkpoints").rename(run.folder / "before")
    (run.folder / "checkpoints").symlink_to(outside)
    doctor.mend(doctor.examine(studio))
    assert (outside / ".hidden").is_file() and (outside / "checkpoint-9" / "weights").is_file()
    assert not [path for path in studio.workspace.exports.iterdir() if path.is_symlink()]


def test_a_fix_that_fails_takes_no_other_with_it():
    def broken() -> None:
        raise PermissionError(13, "Permission denied")

    one, two = (doctor.Finding("note", "x", "y", fix) for fix in (broken, lambda: None))
    assert doctor.mend([one, two]) == [two]


def test_pins_are_read_from_a_requirements_file():
    text = "# why\ntorch==2.9.1 ; sys_platform != 'x'\npsycopg[binary]==3.2\nfoo>=1\n"
    assert doctor.pinned(text) == {"torch": "2.9.1", "psycopg": "3.2"}


def test_a_check_that_fails_is_a_finding(studio: Studio, monkeypatch: pytest.MonkeyPatch):
    def broken(studio: Studio):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(doctor, "_votes", broken)
    said = [one for one in doctor.examine(studio) if one.where == "votes"]
    assert "could not be checked" in said[0].what
