"""Reading a source: first rows early, progress, cancellation."""

import json

import pytest

from studio.core.errors import Cancelled
from studio.data.prepared.inspect import read
from tests.unit.data.making import inspected, questions, write


def test_the_first_rows_are_shown_before_the_file_is_read_and_counts_follow(tmp_path):
    events = []
    path = write(tmp_path, questions(3000))
    with read(
        path,
        first=lambda found: events.append(("first", found.rows, found.sample[0])),
        progress=lambda done, total, what: events.append((what, done, total)),
    ) as reading:
        assert events[0][0] == "first"
        assert events[0][2] == reading.row(0)
    counted = [(done, total) for what, done, total in events[1:] if what == "Reading rows"]
    assert [done for done, _ in counted] == [500, 1000, 1500, 2000, 2500, 3000]
    assert all(total is not None and total >= done for done, total in counted)
    assert events[-1][1:] == (3000, 3000)


def test_cancelling_stops_the_reading(tmp_path):
    def stop(done, total, what):
        raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        read(write(tmp_path, questions(2000)), progress=stop)


def test_inspection_is_json(tmp_path):
    seen = inspected(tmp_path, [{"text": "x", "when": 3}]).as_dict()
    assert {"format", "type", "rows", "kept", "columns", "problems", "sample"} <= set(seen)
    json.dumps(seen)
