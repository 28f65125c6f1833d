"""Problems are counted, listed by page, filtered, and written to a file."""

import json

import pytest

from studio.core.errors import DataError
from studio.data import read
from studio.data.checks.problems import Problems, problem_of
from tests.unit.data.making import inspected, questions, write

GOOD_SFT = {"instruction": "Name a tree.", "input": "", "output": "Oak"}


def test_many_problems_are_all_counted_and_the_first_listed(tmp_path, monkeypatch):
    monkeypatch.setattr("studio.data.checks.problems.MAX_LISTED", 3)
    seen = inspected(tmp_path, [GOOD_SFT] * 11)
    assert seen.problem_counts == {"duplicate": 10}
    assert len(seen.problems) == 3
    assert (seen.rows, seen.kept) == (11, 11)


def test_every_problem_is_paged_filtered_and_written(tmp_path, monkeypatch):
    monkeypatch.setattr("studio.data.checks.problems.MAX_LISTED", 5)
    rows = questions(300)
    for row in rows[:40]:
        row["answer"] = ""
    rows[50]["answer"] = True
    with read(write(tmp_path, rows)) as reading:
        problems = reading.problems
        assert (problems.total(), problems.total("empty_field")) == (41, 40)
        assert [p.row for p in problems.page("empty_field", 30, 3)] == [31, 32, 33]
        assert [p.kind for p in problems.page(start=39, count=5)] == ["empty_field", "wrong_type"]
        assert problems.write(tmp_path / "bad.jsonl") == 41
        assert problems.write(tmp_path / "one.jsonl", "wrong_type") == 1
        with pytest.raises(DataError, match='Did you mean "wrong_type"'):
            problems.page("wrong_typ")
    line = json.loads((tmp_path / "one.jsonl").read_text())
    assert (line["file"], line["row"], line["kind"]) == ("rows.jsonl", 51, "wrong_type")


def test_problems_that_depend_on_a_model_are_replaced_by_kind():
    problems = Problems()
    for row in (2, 1):
        problems.add(problem_of(("over_length", f"Row {row}.", None, "warning"), row, "a"))
    problems.add(problem_of(("duplicate", "Half \ud83d.", None, "warning"), 3, "a"))
    fresh = problems.renewed(
        ["over_length"], [(problem_of(("over_length", "Now.", None, "warning"), 7, "a"), 0)]
    )
    assert [(p.kind, p.row) for p in fresh.page()] == [("duplicate", 3), ("over_length", 7)]
    assert fresh.page("duplicate")[0].message == "Half ?."
    assert [p.row for p in problems.page("over_length")] == [1, 2]
    assert [p.kind for p in fresh.at(int(fresh.keys_of("over_length")[0]))] == ["over_length"]
    problems.close()
    fresh.close()
