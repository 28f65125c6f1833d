"""The workspace's datasets as functions: list, show, delete, restore, export."""

from __future__ import annotations

import json

import pytest

from studio import Commands
from studio.core.errors import ConfigError, DataError


@pytest.fixture
def things(do: Commands, rows_file) -> str:
    return do.data_prepare([str(rows_file)], name="things", test_fraction=0)["id"]


def test_a_dataset_is_listed_and_shown(do: Commands, things):
    [listed] = do.data_list()
    assert (listed["id"], listed["name"], listed["rows"]["train"]) == (things, "things", 3)
    shown = do.data_show("things", rows=2)
    assert len(shown["first"]) == 2 and shown["steps"]
    assert shown["first"][0]["completion"][0]["content"] == "Thing 0."


def test_a_deleted_dataset_can_be_restored_once(do: Commands, things):
    assert do.data_delete("things") == {"deleted": things, "name": "things"}
    assert do.data_list() == []
    assert do.data_restore(things)["name"] == "things"
    with pytest.raises(DataError, match="cannot be restored"):
        do.data_restore(things)


def test_rows_are_exported(do: Commands, things, tmp_path):
    out = tmp_path / "rows.jsonl"
    assert do.data_export("things", out) == {"out": str(out), "split": "train", "rows": 3}
    assert len([json.loads(line) for line in out.read_text().splitlines()]) == 3


def test_a_repository_needs_an_owner(do: Commands, things):
    with pytest.raises(ConfigError, match="owner/name"):
        do.data_push("things", "nobody")
