"""Rows on disk, read back in any order, from several threads."""

import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from studio.data import row_spool
from studio.data.row_spool import Spool

ROWS = [b"%d:" % n + bytes([65 + n % 26]) * (n % 50) for n in range(500)]


@pytest.fixture
def spool(tmp_path):
    with Spool(tmp_path) as spool:
        for row in ROWS:
            spool.append(row)
        yield spool


def test_rows_come_back_in_any_order(spool, monkeypatch):
    monkeypatch.setattr(row_spool, "RUN_BYTES", 300)
    order = random.Random(0).sample(range(500), 500)
    assert len(spool) == 500 and spool.one(77) == ROWS[77]
    assert list(spool.raw(range(500))) == ROWS
    assert list(spool.raw(order)) == [ROWS[at] for at in order]
    assert list(spool.raw([3, 4, 4, 5, 0])) == [ROWS[at] for at in (3, 4, 4, 5, 0)]


def test_threads_read_without_getting_in_each_others_way(spool):
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(spool.one, range(500)))
    assert found == ROWS


def test_nothing_is_left_in_the_folder(tmp_path):
    with Spool(tmp_path) as spool:
        spool.append(b"row")
    assert list(tmp_path.iterdir()) == []
