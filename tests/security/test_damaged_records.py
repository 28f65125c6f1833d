"""Records that a crash or a disk has damaged: said, kept, never replaced; others stay."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from studio.core.errors import StudioError, WorkspaceError
from studio.core.workspace import Workspace
from studio.engine.studio import Studio
from studio.runs.recipe import Recipe
from studio.runs.store import RunStore

TORN = ("", "{", "[]", "5", "null", '"x"', '{"id": 5}', '{"state": []}', "\0" * 64, "\ud800")


def tear(path: Path, text: str) -> bytes:
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    return path.read_bytes()


@pytest.mark.parametrize("text", TORN)
def test_a_damaged_run_is_listed_as_such_and_left_alone(tmp_path: Path, text: str) -> None:
    store = RunStore(Workspace(tmp_path))
    whole = store.create(Recipe.defaults(name="whole"))
    torn = store.create(Recipe.defaults(name="torn"))
    before = tear(torn.folder / "run.json", text)
    listed = {run.id: run for run in store.list()}
    assert listed[whole.id].state == "queued"
    assert listed[torn.id].state == "failed" and "is damaged" in str(listed[torn.id].error)
    with pytest.raises(WorkspaceError, match="is damaged"):
        store.update(torn.id, state="finished")
    assert (torn.folder / "run.json").read_bytes() == before
    store.delete(torn.id)
    assert [run.id for run in store.list()] == [whole.id]


@pytest.mark.parametrize("text", TORN)
def test_a_damaged_dataset_takes_no_other_along(tmp_path: Path, text: str) -> None:
    studio = Studio(tmp_path / "home")
    rows = [{"prompt": f"q{n}", "completion": f"a{n}"} for n in range(4)]
    whole = studio.datasets.from_rows(rows, "prompt_completion", "whole")
    torn = studio.datasets.from_rows(rows, "prompt_completion", "torn")
    before = tear(torn.folder / "dataset.json", text)
    assert [dataset.id for dataset in studio.datasets.list()] == [whole.id]
    with pytest.raises(StudioError, match="is damaged"):
        studio.datasets.get(torn.id)
    assert (torn.folder / "dataset.json").read_bytes() == before
    studio.close()


@pytest.mark.parametrize("text", [*TORN, '{"run": [5]}'])
def test_damaged_stars_and_notes_are_kept_when_new_ones_are_made(tmp_path: Path, text: str) -> None:
    studio = Studio(tmp_path / "home")
    run = studio.runs.create(Recipe.defaults(name="starred"))
    studio.runs.update(run.id, state="finished")
    before = tear(studio.workspace.home / "library.json", text)
    studio.collection.mark(run.id, star=True)
    made = json.loads((studio.workspace.home / "library.json").read_text())
    assert made[run.id]["star"]
    kept = [path.read_bytes() for path in studio.workspace.home.glob("library.json.damaged-*")]
    assert kept == [before]
    studio.close()
