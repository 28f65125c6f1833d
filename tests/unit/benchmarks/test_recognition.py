"""The table of right answers is compared with what recognition says."""

import pytest

from benchmarks.recognition import (
    CASES,
    DATA,
    KNOWN_WRONG,
    Right,
    Seen,
    again,
    all_files,
    first_sight,
    look,
    report,
    share_at_first_sight,
    then,
)
from studio.data.formats.detection import MOST
from tests.unit.data.making import inspected, write

QA = [{"question": f"Q{n}?", "answer": f"A{n}."} for n in range(3)]


def test_a_file_is_right_by_its_type_and_its_first_row(tmp_path):
    path = write(tmp_path, QA)
    assert look(path, "a", Right("prompt_completion", {"completion": "A0."})).right
    assert not look(path, "a", Right("prompt_completion", {"completion": "A1."})).right
    assert not look(path, "a", Right("preference", {})).right
    assert inspected(tmp_path, QA).question is None


def test_a_band_that_is_right_less_often_than_it_claims_fails():
    right = [Seen(f"f{n}", 0.97, False, True, "") for n in range(9)]
    assert report(right)[1]
    assert not report([*right, Seen("g", 0.97, False, False, "")])[1]
    assert report([*right, Seen("g", 0.5, True, False, "")])[1]  # asked, so nothing was claimed


def test_the_files_at_hand_are_those_of_the_table(monkeypatch, tmp_path):
    monkeypatch.setenv("STUDIO_REAL_DATA", str(tmp_path / "data"))
    assert all_files() == []
    name = next(iter(CASES))
    place = tmp_path / "cases" / name
    place.parent.mkdir(parents=True)
    place.write_text("{}")
    assert [found[1] for found in all_files()] == [name]
    assert not DATA.keys() & CASES.keys()


@pytest.mark.parametrize("name", ["gsm8k/test.jsonl", "hh-rlhf/harmless-base-test-500.jsonl"])
def test_published_files_are_in_the_table(name):
    assert name in DATA


def test_nothing_claims_more_than_was_right_at_first_sight():
    records = first_sight()
    newest = max(record["batch"] for record in records)
    last = [then(one) for one in records if one["batch"] >= newest - 1]
    assert share_at_first_sight(last) >= MOST


def test_the_files_it_was_not_made_for_are_read_right_now(tmp_path):
    now = [again(record, tmp_path) for record in first_sight()]
    assert len(now) > 100
    assert max(one.confidence for one in now) <= MOST
    wrong = [one.file for one in now if not one.right]
    assert len(wrong) <= KNOWN_WRONG, wrong
