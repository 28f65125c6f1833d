"""An index on disk: what is cut short or damaged is made again, never asked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from studio.attribution import index_files

WANTED = {"dims": 4, "seed": 0, "precondition": False}


@pytest.fixture
def index(tmp_path: Path) -> index_files.Index:
    places = np.zeros((3, 3), np.int32)
    made = index_files.begun(tmp_path / "index", WANTED, places)
    made.advance(3, unlike=[-0.1, 0.1])
    return made


def test_an_index_is_complete_once_it_knows_what_random_rows_score(index: index_files.Index):
    assert index.complete
    del index.record["unlike"]
    index.advance(3)  # as a kill between the two leaves it
    again = index_files.opened(index.folder)
    assert again is not None and again.filled and not again.complete


@pytest.mark.parametrize("name", ["vectors.f16", "norms.f32", "places.i32"])
def test_files_that_a_copy_cut_short_are_not_asked(index: index_files.Index, name: str):
    path = index.folder / name
    path.write_bytes(path.read_bytes()[:-1])
    assert index_files.opened(index.folder) is None
    path.unlink()
    assert index_files.opened(index.folder) is None
    again = index_files.begun(index.folder, WANTED, np.zeros((3, 3), np.int32))
    assert again.done == 0 and again.whole


def test_a_damaged_record_is_no_index(index: index_files.Index):
    for text in ("{", "[]", '{"version": 1}'):
        (index.folder / index_files.RECORD).write_text(text)
        assert index_files.opened(index.folder) is None


def test_an_index_without_its_scales_is_made_again(index: index_files.Index):
    index.record["precondition"] = True
    index.advance(3)
    assert index_files.opened(index.folder) is None
    (index.folder / index_files.SCALES).write_bytes(b"")
    assert index_files.opened(index.folder) is not None
