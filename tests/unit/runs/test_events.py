"""The event log: read from an offset, whatever a crash left."""

from __future__ import annotations

from studio.runs.events import EventLog, read_events


def test_events_are_read_from_an_offset(tmp_path):
    path = tmp_path / "events.jsonl"
    log = EventLog(path)
    log.write("log", step=1, loss=2.5)
    events, offset = read_events(path)
    assert [event["step"] for event in events] == [1]
    assert read_events(path, offset) == ([], offset)
    log.write("log", step=2, loss=2.0)
    events, after = read_events(path, offset)
    assert [event["step"] for event in events] == [2]
    assert after > offset


def test_a_half_written_line_waits(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"kind": "log", "step": 1}\n{"kind": "lo')
    events, offset = read_events(path)
    assert len(events) == 1
    with path.open("ab") as file:
        file.write(b'g", "step": 2}\n')
    events, _ = read_events(path, offset)
    assert [event["step"] for event in events] == [2]


def test_a_line_torn_by_a_crash_costs_only_itself(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"kind": "log", "step": 1}\n{"kind": "lo')
    EventLog(path).write("log", step=3)
    events, _ = read_events(path)
    assert [event["step"] for event in events] == [1, 3]


def test_no_log_yet_is_no_events(tmp_path):
    assert read_events(tmp_path / "none", 7) == ([], 7)
