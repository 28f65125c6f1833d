"""JSON and JSON Lines: told apart by content, read row by row."""

import json
import math

import pytest

from studio.data import inspect
from studio.data.readers.json_files import as_row, parse
from tests.unit.data.making import ODD, as_turns, put, raw_data, read_raw


def test_jsonl_named_json_and_json_named_jsonl(tmp_path):
    lines = tmp_path / "rows.json"
    lines.write_text('{"text": "a"}\n{"text": "b"}\n')
    rows, notes = read_raw(lines)
    assert len(rows) == 2
    assert "JSON Lines" in notes[0]
    whole = tmp_path / "rows.jsonl"
    whole.write_text('[\n {"text": "a"},\n {"text": "b"}\n]')
    assert raw_data(whole) == [{"text": "a"}, {"text": "b"}]


def test_bare_lists_and_strings_become_rows(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('[{"role": "user", "content": "a"}]\n"plain"\n17\n')
    rows, _ = read_raw(path)
    assert rows[0].data == {"messages": [{"role": "user", "content": "a"}]}
    assert rows[1].data == {"text": "plain"}
    assert rows[2].error is not None and rows[2].error.kind == "not_a_row"


def test_malformed_lines_are_problems_and_the_rest_is_kept(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "a"}\n{"text": oops}\n\n{"text": "d"}\n')
    seen = inspect(path)
    assert (seen.rows, seen.kept) == (3, 2)
    assert [(p.row, p.kind, p.file) for p in seen.problems] == [(2, "malformed_json", "rows.jsonl")]


def test_an_endless_line_is_a_problem_and_not_a_crash(tmp_path, monkeypatch):
    monkeypatch.setattr("studio.data.readers.json_files.MAX_RECORD", 5000)
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "a"}\n{"text": "' + "x" * 9000 + '"}\n{"text": "c"}\n')
    seen = inspect(path)
    assert (seen.rows, seen.kept) == (3, 2)
    assert "64 MB" in seen.problems[0].message


def test_a_line_without_end_is_one_bad_row(tmp_path, monkeypatch):
    monkeypatch.setattr("studio.data.readers.json_files.MAX_RECORD", 1 << 21)
    line = '{"text": "' + "a" * (8 << 20) + '"}\n'
    found = inspect(put(tmp_path, "a.jsonl", '{"text": "one"}\n' + line + '{"text": "two"}\n'))
    assert (found.rows, found.kept, found.problem_counts) == (3, 2, {"malformed_json": 1})


def test_a_large_object_is_streamed(tmp_path, monkeypatch):
    monkeypatch.setattr("studio.data.readers.json_files.MAX_WHOLE", 1000)
    whole = {"version": {"of": [1, 2]}, "rows": ODD, "more": [{"x": 1}]}
    found = inspect(put(tmp_path, "a.json", json.dumps(whole)))
    assert (found.kept, found.sample) == (30, as_turns(ODD[:5]))
    assert any('under "rows"' in note for note in found.notes)
    assert any("only the first was read" in note for note in found.notes)


def test_nan_and_lone_surrogates_are_read_though_strict_json_has_none():
    assert math.isnan(parse('{"a": NaN}')["a"])
    assert parse('{"a": "\\ud83d"}') == {"a": "\ud83d"}
    with pytest.raises(ValueError):
        parse("{'a': 1}")


@pytest.mark.parametrize("value", [3, None, True])
def test_a_value_that_is_no_row_is_shown_in_its_error(value):
    raw = as_row(value, 4, "a.json")
    assert raw.error is not None and raw.error.kind == "not_a_row" and raw.text in raw.error.message
