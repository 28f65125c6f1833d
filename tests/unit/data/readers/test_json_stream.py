"""The streaming JSON reader: any window size, broken and oversized values."""

import io
import json

import pytest

from studio.core.errors import DataError
from studio.data import inspect
from studio.data.readers.json_stream import Broken, Window
from tests.unit.data.making import GERMAN, ODD, as_turns, put, raw_data, read_raw


def test_a_list_that_breaks_off_keeps_what_came_before(tmp_path):
    path = tmp_path / "rows.json"
    path.write_text(json.dumps(GERMAN)[:-40])
    rows, _ = read_raw(path)
    assert [raw.error is None for raw in rows] == [True, True, True, True, False]


def test_a_list_longer_than_the_window_is_read_whole(tmp_path):
    rows = [{"text": "x" * (n % 7) * 100_000, "n": n} for n in range(30)]
    path = tmp_path / "rows.json"
    path.write_text(json.dumps(rows))
    assert raw_data(path) == rows


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [("a.json", '[{"text": "', '"}]'), ("a.json", '{"text": "', '"}'), ("a.csv", "text\n", "\n")],
)
def test_a_record_without_end_is_given_up(tmp_path, monkeypatch, name, before, after):
    monkeypatch.setattr("studio.data.readers.json_stream.MAX_RECORD", 1 << 21)
    monkeypatch.setattr("studio.data.readers.tables.MAX_RECORD", 1 << 21)
    monkeypatch.setattr("studio.data.readers.json_files.MAX_WHOLE", 1 << 21)
    with pytest.raises(DataError, match="longer than 64 MB"):
        inspect(put(tmp_path, name, before + "a" * (8 << 20) + after))


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 50])
def test_a_list_reads_the_same_through_any_window(tmp_path, monkeypatch, chunk):
    monkeypatch.setattr("studio.data.readers.json_stream._CHUNK", chunk)
    rows = [{"prompt": "a", "completion": 'b"}],[{', "n": 12.5e3}, *ODD[:3]]
    found = inspect(put(tmp_path, "a.json", json.dumps(rows, ensure_ascii=chunk > 2)))
    assert found.sample == as_turns(rows)


@pytest.mark.parametrize("chunk", [1, 2, 5, 1000])
def test_values_and_fields_are_read_through_any_window(monkeypatch, chunk):
    monkeypatch.setattr("studio.data.readers.json_stream._CHUNK", chunk)
    window = Window(io.StringIO('\ufeff {"a": 12.5, "rows": [1, {"b": "]\\ud83d"}, NaN]} '))
    assert window.peek() == "{"
    found = {}
    for name in window.fields():
        found[name] = list(window.elements()) if window.peek() == "[" else window.value()
    assert found["a"] == 12.5 and found["rows"][:2] == [1, {"b": "]\ud83d"}]
    assert found["rows"][2] != found["rows"][2]
    assert window.peek() == ""


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[1, 2", "closing ]"),
        ('[{"a": oops}]', "breaks off near"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a" 1}', "field's name is missing"),
    ],
)
def test_what_cannot_be_read_is_quoted(text, sentence):
    window = Window(io.StringIO(text))
    with pytest.raises(Broken, match=sentence):
        if window.peek() == "{":
            list(window.fields())
        list(window.elements())
