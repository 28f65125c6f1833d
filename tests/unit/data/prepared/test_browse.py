"""Browsing rows of a source or a prepared dataset: filters, search, problems."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from studio.core.workspace import Workspace
from studio.data import DatasetStore, PrepareOptions, read
from studio.data.prepared.browse import ALL, GOOD, ReadRows, StoredRows

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


def test_every_row_is_shown_with_its_place_and_problems(source: Path) -> None:
    with read(source) as reading:
        rows = ReadRows(reading)
        assert rows.find(GOOD, "").tolist() == [0, 2, 3] and len(rows) == 4
        assert rows.find(ALL, "").tolist() == [0, 1, 2, 3]
        empty = rows.show(int(rows.find("empty_field", "")[0]))
        assert (empty.number, [problem.kind for problem in empty.problems]) == (2, ["empty_field"])
        assert rows.position(empty.file, 2) == 1 and rows.position(empty.file, 99) is None
        assert rows.show(3).problems[0].message.startswith("Identical to row 1")


def test_what_could_not_be_read_is_gone_through_as_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    lines = [json.dumps(ROWS[0]), "{'instruction': 'half a mill", '{"instruction": 5}', "7"]
    path.write_text("\n".join([*lines, json.dumps(ROWS[2])]))
    with read(path) as reading:
        rows = ReadRows(reading)
        assert (len(rows), reading.rows) == (5, 5)
        every = [rows.show(int(at)) for at in rows.find(ALL, "")]
        assert [shown.number for shown in every] == [1, 2, 3, 4, 5]
        assert every[1].raw == lines[1] and every[1].problems[0].kind == "malformed_json"
        assert json.loads(every[2].raw or "") == {"instruction": 5} and every[3].raw == "7"
        assert every[0].raw is None and every[0].row["prompt"]
        found = rows.find("wrong_type", "")
        assert [rows.show(int(at)).number for at in found] == [3]
        assert [rows.show(int(at)).number for at in rows.find(ALL, "half a")] == [2]
        assert rows.position(path.name, 2) is not None


def test_search_is_by_any_text_whatever_its_case(source: Path) -> None:
    with read(source) as reading:
        rows = ReadRows(reading)
        assert rows.find(GOOD, "mill").tolist() == [0, 2, 3]
        assert rows.find(ALL, "bridge").tolist() == [2]
        assert rows.find(ALL, "nowhere").tolist() == []
        assert [row["completion"][0]["content"] for row in rows.trainable()] == [
            "By the river.",
            "By the bridge.",
            "By the river.",
        ]


def test_prepared_rows_are_read_the_same_way(source: Path, home: Path) -> None:
    store = DatasetStore(Workspace(home))
    rows = StoredRows(store.prepare(source, options=PrepareOptions(test_fraction=0)))
    assert len(rows) == 2 and rows.find(GOOD, "bridge").tolist() == [1]
    assert rows.show(1).row == rows.trainable()[1]
