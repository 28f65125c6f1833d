"""The majority of several raters makes the pair."""

import pytest

from studio.data.formats import rater_votes
from tests.unit.data.formats.recognition import check_case
from tests.unit.data.making import assistant, inspected, user

CASES = {
    "several raters' votes": (
        {
            "idx": 3,
            "instruction": "I",
            "input": "x",
            "response1": "bad",
            "response2": "good",
            "annotator1": 2,
            "annotator2": 1,
            "annotator3": 2,
        },
        "preference",
        {"prompt": [user("I\n\nx")], "chosen": [assistant("good")], "rejected": [assistant("bad")]},
    ),
    "a list of votes": (
        {"prompt": "Q", "answer_a": "bad", "answer_b": "good", "votes": ["b", "a", "b"]},
        "preference",
        {"prompt": [user("Q")], "chosen": [assistant("good")], "rejected": [assistant("bad")]},
    ),
    "votes between three answers": (
        {
            "prompt": "Q",
            "response1": "mid",
            "response2": "good",
            "response3": "bad",
            "votes": ["response2", "response2", "response1"],
        },
        "preference",
        {"prompt": [user("Q")], "chosen": [assistant("good")], "rejected": [assistant("bad")]},
    ),
}
"""A row of each spelling, its dataset type, and the TRL row it becomes."""


@pytest.mark.parametrize("case", CASES)
def test_rows_are_recognized_and_converted(tmp_path, case):
    check_case(tmp_path, rater_votes, *CASES[case])


def test_votes_in_codes_that_read_two_ways_are_asked_about(tmp_path):
    row = {"prompt": "Q", "answer_a": "one", "answer_b": "two"}
    seen = inspected(tmp_path, [{**row, "vote1": 0, "vote2": 0, "vote3": vote} for vote in (1, 2)])
    assert [way["row"].get("chosen") for way in seen.readings] == [None, [assistant("one")]]


def test_rows_that_nobody_voted_on_yet_say_nothing_against_the_format(tmp_path):
    voted = {"prompt": "Q", "answer_a": "bad", "answer_b": "good", "votes": ["b", "a", "b"]}
    seen = inspected(tmp_path, [voted, *({**voted, "votes": []} for _ in range(5))])
    assert (seen.format, seen.rows, seen.kept) == ("majority", 6, 1)
    assert seen.problem_counts == {"not_judged": 5}
