"""Records are read again when they changed, and only then."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from studio.core.records import DamagedRecord, RecordCache, read_json
from studio.core.workspace import write_json


@pytest.fixture
def counted(tmp_path: Path):
    """Reads the record in `tmp_path`, counting in `counted.reads`."""
    cache: RecordCache[dict] = RecordCache()

    def read() -> dict:
        counted.reads += 1
        return read_json(tmp_path / "run.json")

    def counted() -> dict:
        return cache.get(tmp_path, ("run.json", "label"), read)

    counted.reads = 0
    write_json(tmp_path / "run.json", {"step": 1})
    return counted


def test_what_did_not_change_is_read_once(counted):
    assert [counted()["step"] for _ in range(3)] == [1, 1, 1]
    assert counted.reads == 1


@pytest.mark.parametrize("other", ["same size", "label"])
def test_a_change_is_seen_at_once(counted, tmp_path: Path, other: str):
    counted()
    before = (tmp_path / "run.json").stat()
    if other == "label":
        (tmp_path / "label").write_text("mine")
    else:
        write_json(tmp_path / "run.json", {"step": 2})
        os.utime(tmp_path / "run.json", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert counted()["step"] == (1 if other == "label" else 2)
    assert counted.reads == 2


def test_what_cannot_be_read_is_said_every_time(counted, tmp_path: Path):
    counted()
    (tmp_path / "run.json").write_text("[]")
    for _ in range(2):
        with pytest.raises(DamagedRecord):
            counted()
    (tmp_path / "run.json").unlink()
    with pytest.raises(FileNotFoundError):
        counted()
