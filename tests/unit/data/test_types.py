"""Problems, notes and inspections: what the engine says about a source."""

import io

from studio.data.types import REPORTED, Inspection, Notes, Problem


def test_a_note_is_kept_once():
    notes = Notes()
    for text in ("a", "b", "a"):
        notes(text)
    assert notes == ["a", "b"]


def test_the_total_is_judged_by_the_bytes_read():
    events = []
    notes = Notes(lambda *event: events.append(event))
    first, second = io.BytesIO(b"x" * 100), io.BytesIO(b"y" * 300)
    notes.expect(100)
    notes.expect(300)
    assert notes.share() is None
    notes.watch(first, 100)
    first.seek(100)
    assert notes.share() == 0.25
    notes.watch(second, 300)
    second.seek(100)
    notes.report(REPORTED, "Reading rows")
    notes.report(REPORTED + 1, "Reading rows")
    assert events == [(REPORTED, 2 * REPORTED, "Reading rows")]
    second.close()
    assert notes.share() is None


def test_an_inspection_holds_only_what_json_can():
    problem = Problem(3, "duplicate", "The same.", "a.jsonl", severity="warning")
    seen = Inspection("a", "text", "language_modeling", 0.98765, "why", problems=[problem])
    seen.sample = [{"text": "x", "when": object}]
    plain = seen.as_dict()
    assert plain["confidence"] == 0.988 and plain["problems"] == [problem.as_dict()]
    assert isinstance(plain["sample"][0]["when"], str)
