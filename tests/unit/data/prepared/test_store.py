"""Prepared datasets are stored, found, loaded, and deleted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from studio.core.errors import Cancelled, DataError
from studio.core.workspace import Workspace
from studio.data import inspect
from studio.data.prepared.store import DatasetStore
from tests.unit.data.making import numbered, questions, write


def test_prepare_keeps_what_inspect_shows(tmp_path, store):
    path = write(tmp_path, numbered(100))
    prepared = store.prepare(path)
    assert prepared.rows == {"train": 95, "test": 5}
    assert (prepared.name, prepared.type) == ("rows", "prompt_completion")
    assert prepared.head(1) == inspect(path).sample[:1]
    assert prepared.load()[0] == prepared.head(1)[0]
    assert prepared.load("test").num_rows == 5
    assert [step["step"] for step in prepared.steps][:2] == ["read", "convert"]


def test_the_same_rows_in_another_file_have_the_same_fingerprint(tmp_path, store):
    rows = numbered(30)
    first = store.prepare(write(tmp_path, rows))
    second = (tmp_path / "again.json").write_text(json.dumps(rows)) and store.prepare(
        tmp_path / "again.json"
    )
    other = store.prepare(write(tmp_path, rows[:-1], "other.jsonl"))
    assert first.fingerprint == second.fingerprint != other.fingerprint


def test_store_lists_finds_names_and_deletes(tmp_path, store):
    first = store.prepare(write(tmp_path, numbered(3)), "letters")
    second = store.prepare(write(tmp_path, numbered(4)), "letters")
    assert second.name == "letters 2"
    assert [d.id for d in store.list()] == [second.id, first.id]
    assert store.get("letters") == store.get(first.id) == first
    with pytest.raises(DataError, match='Did you mean "letters"'):
        store.get("leters")
    store.delete(first.id)
    assert [d.id for d in store.list()] == [second.id]
    with pytest.raises(DataError, match="no split"):
        second.path("test")


def test_a_shipped_sample_is_prepared_on_first_use_only(store):
    first = store.get("pocket-preference")
    assert first.type == "preference"
    assert store.get("pocket-preference").id == first.id
    assert len(store.list()) == 1


def test_cancelling_leaves_nothing_behind(tmp_path, store):
    def stop(done, total, what):
        raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        store.prepare(write(tmp_path, numbered(2000)), progress=stop)
    assert list(store.workspace.datasets.iterdir()) == []


@pytest.fixture
def prepared(tmp_path):
    store = DatasetStore(Workspace(tmp_path / "home"))
    return store.prepare(write(tmp_path, questions(60)), "letters")


def test_held_out_rows_are_paged(prepared):
    assert prepared.page(1, 5, "test") == prepared.head(3, "test")[1:]
    assert prepared.page(50, 10) == prepared.head(57)[50:]


ROWS = [
    {"instruction": "Where is the mill?", "input": "", "output": "By the river."},
    {"instruction": "Where is the inn?", "input": "", "output": ""},
    {"instruction": "Where is the MILL?", "input": "", "output": "By the bridge."},
    {"instruction": "Where is the mill?", "input": "", "output": "By the river."},
]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "rows.json"
    path.write_text(json.dumps(ROWS))
    return path


def test_a_deletion_is_taken_back_until_the_next(source: Path, home: Path) -> None:
    store = DatasetStore(Workspace(home))
    first, second = store.prepare(source, "first"), store.prepare(source, "second")
    store.trash(first.id)
    assert [dataset.name for dataset in store.list()] == ["second"]
    assert store.take_back(first.id).name == "first" and store.get("first").head(1)
    store.trash(first.id)
    store.trash(second.id)
    with pytest.raises(DataError, match="cannot be restored"):
        store.take_back(first.id)
    assert store.take_back(second.id).name == "second"
