"""Prodigy's choice exports: the accepted option against another, and who was left out."""

import pytest

from studio.data.formats import prodigy
from tests.unit.data.formats.recognition import check_case
from tests.unit.data.making import assistant, inspected, user


def row(**changes):
    """As `prodigy db-out` writes it."""
    return {
        "text": "Why is the sky blue?",
        "options": [{"id": "a", "text": "It is."}, {"id": "b", "text": "Light scatters."}],
        "_input_hash": 1,
        "_task_hash": 2,
        "_view_id": "choice",
        "config": {"choice_style": "single"},
        "accept": ["b"],
        "answer": "accept",
        "_timestamp": 1700000000,
    } | changes


PAIR = {
    "prompt": [user("Why is the sky blue?")],
    "chosen": [assistant("Light scatters.")],
    "rejected": [assistant("It is.")],
}
CASES = {
    "two options": (row(), "preference", PAIR),
    "numbers as ids, and a prompt": (
        {
            "prompt": "Pick.",
            "options": [{"id": 0, "text": "x"}, {"id": 1, "text": "y"}, {"id": 2, "text": "z"}],
            "accept": [1],
            "answer": "accept",
        },
        "preference",
        {"prompt": [user("Pick.")], "chosen": [assistant("y")], "rejected": [assistant("x")]},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_rows_are_recognized_and_converted(tmp_path, case):
    check_case(tmp_path, prodigy, *CASES[case])


LEFT_OUT = {
    "ignored": ({"accept": [], "answer": "ignore"}, "not_judged", "chose ignore"),
    "rejected": ({"accept": [], "answer": "reject"}, "not_judged", "chose reject"),
    "accepted without an option": ({"accept": []}, "not_judged", "names no option"),
    "two accepted": ({"accept": ["a", "b"]}, "tie", "names 2 options"),
    "an unknown id": ({"accept": ["c"]}, "wrong_type", "which is no option"),
    "an id twice": (
        {"options": [{"id": "b", "text": "x"}, {"id": "b", "text": "y"}]},
        "wrong_type",
        "have the id b",
    ),
    "no id": ({"options": [{"text": "x"}, {"text": "y"}]}, "wrong_type", "has no id"),
    "one option": ({"options": [{"id": "b", "text": "x"}]}, "too_few_answers", "fewer than two"),
    "a picture": (
        {"options": [{"id": "a", "image": "a.png"}, {"id": "b", "image": "b.png"}]},
        "wrong_type",
        "without a text",
    ),
}


@pytest.mark.parametrize("case", LEFT_OUT)
def test_what_makes_no_pair_is_named_and_counted(tmp_path, case):
    changes, kind, words = LEFT_OUT[case]
    seen = inspected(tmp_path, [row(), row(**changes), row(text="And the sea?")])
    assert (seen.format, seen.rows, seen.kept) == ("prodigy-choice", 3, 2)
    assert seen.problem_counts[kind] == 1
    [problem] = [each for each in seen.problems if each.kind == kind]
    assert problem.row == 2 and words in problem.message


def test_mostly_ignored_files_are_still_recognized(tmp_path):
    rows = [row(), *(row(text=f"Why {n}?", accept=[], answer="ignore") for n in range(9))]
    seen = inspected(tmp_path, rows)
    assert (seen.format, seen.kept, seen.problem_counts["not_judged"]) == ("prodigy-choice", 1, 9)


def test_another_files_answers_are_not_prodigys(tmp_path):
    seen = inspected(tmp_path, [row(answer="B"), row(answer="A")])
    assert seen.format != "prodigy-choice"
