"""A dataset without some rows is one of its own, and never taken for the whole one."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.core.errors import DataError
from studio.core.workspace import Workspace
from studio.data import DatasetStore, PrepareOptions
from studio.data.prepared.left_out import without


def test_rows_are_left_out_and_the_whole_is_found_by_its_name(tmp_path: Path):
    store = DatasetStore(Workspace(tmp_path))
    rows = [{"prompt": f"q{n}", "completion": f"a{n}"} for n in range(60)]
    whole = store.from_rows(
        rows,
        "prompt_completion",
        "mine",
        {"sample": "mine", "sha256": "1", "made_by": "labels"},
        PrepareOptions(test_fraction=0.3, dedupe=False),
    )
    first, count = whole.head(2), whole.rows["train"]
    assert whole.rows["test"]
    made = without(store, whole, [0, 1, 1], "to see")
    assert made.rows == {**whole.rows, "train": count - 2} and made.name == "mine without 2 rows"
    assert [row for row in made.head(60) if row in first] == []
    assert made.head(60, "test") == whole.head(60, "test")
    assert made.fingerprint != whole.fingerprint
    assert made.steps[-1] == {"step": "leave out", "dropped": 2, "why": "to see"}
    assert "sample" not in made.provenance and made.provenance["made_by"] == "labels"
    assert without(store, whole, [0]).name == "mine without 1 row"
    assert store.get("mine").id == whole.id
    for wrong, words in (([count], "rows 0 to"), ([], "name some"), (range(count), "be empty")):
        with pytest.raises(DataError, match=words):
            without(store, whole, wrong)
