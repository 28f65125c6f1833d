"""The format is detected from the whole source, not only from its first rows."""

import random

import pytest

from studio.core.errors import DataError
from studio.data import inspect, read
from studio.data.prepared.row_stream import Stream
from studio.data.readers.in_memory import GivenRows
from tests.unit.data.making import assistant, inspected, said, user, write


def test_later_rows_are_heard_where_the_first_ones_mislead(tmp_path):
    chance = random.Random(1)
    head = [{"prompt": f"{n} {said(chance)}", "completion": said(chance)} for n in range(300)]
    tail = [
        {
            "messages": [
                {"role": "user", "content": f"{n} {said(chance)}"},
                {"role": "assistant", "content": said(chance)},
            ]
        }
        for n in range(2000)
    ]
    found = inspect(write(tmp_path, head + tail))
    assert (found.type, found.kept) == ("conversational", 2000)
    assert any("say otherwise" in note for note in found.notes)
    assert any("300 of 2,300 rows" in note for note in found.notes)


def test_a_code_that_only_later_rows_hold_is_asked_about(tmp_path):
    chance = random.Random(1)
    rows = [
        {"prompt": f"{n} {said(chance)}", "answer1": said(chance), "answer2": said(chance)}
        for n in range(1200)
    ]
    for n, row in enumerate(rows):
        row["better"] = n % 2 if n < 600 else n % 3
    with read(write(tmp_path, rows)) as reading:
        assert reading.stream.format.mapping["better_first"] == "0=tie,1=1,2=2"
        assert len(reading.stream.format.others) == 1
        at = reading.find(601 + 1)  # better: 1 -> the first answer
        assert reading.row(at)["chosen"][0]["content"] == rows[601]["answer1"]


def test_rows_are_not_read_without_their_answers_because_more_of_them_load(tmp_path):
    rows = [{"instruction": f"Do {n}", "output": f"Done {n}"} for n in range(400)]
    rows += [{"instruction": f"Do {n}", "response": f"Done {n}"} for n in range(300)]
    found = inspect(write(tmp_path, rows))
    assert (found.type, found.kept) == ("prompt_completion", 400)
    assert any('"instruction" and "response"' in note for note in found.notes)


def test_rows_of_two_formats_are_told_apart(tmp_path):
    chat = {"messages": [user("Q"), assistant("A")]}
    rows = [{"instruction": f"Q{n}", "output": "A"} for n in range(8)]
    seen = inspected(tmp_path, [*rows, chat, chat, chat])
    assert (seen.format, seen.kept) == ("alpaca", 8)
    assert "look like messages" in seen.notes[0]


def test_first_rows_are_checked_without_being_used_up():
    rows = [{"instruction": "a", "output": ""}, {"instruction": "b", "output": "B"}]
    stream = Stream(GivenRows("rows", rows))
    assert [checked.errors for checked in stream.first(2)] == [{"empty_field"}, set()]
    assert [checked.raw.number for checked in stream] == [1, 2]
    assert stream.rows == 2 and stream.redetect_format() is None and stream.mixed() is None


def test_a_source_without_rows_is_refused():
    with pytest.raises(DataError, match="rows is empty"):
        Stream(GivenRows("rows", []))
