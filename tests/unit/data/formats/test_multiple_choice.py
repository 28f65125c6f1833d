"""Questions with options become a prompt and the right option."""

import pytest

from studio.data.formats import multiple_choice
from tests.unit.data.formats.recognition import check_case
from tests.unit.data.making import assistant, inspected, user

CASES = {
    "options as a list and an index": (
        {"question": "Which?", "subject": "s", "choices": ["Oak", "Ash"], "answer": 0},
        "prompt_completion",
        {"prompt": [user("Which?\n\nA. Oak\nB. Ash")], "completion": [assistant("A. Oak")]},
    ),
    "options with labels and an answer key": (
        {
            "id": "x7",
            "question_stem": "Which?",
            "choices": {"text": ["Oak", "Ash"], "label": ["A", "B"]},
            "answerKey": "B",
        },
        "prompt_completion",
        {"prompt": [user("Which?\n\nA. Oak\nB. Ash")], "completion": [assistant("B. Ash")]},
    ),
    "a column an option, below a passage": (
        {"article": "Of trees.", "question": "Which?", "A": "Oak", "B": "Ash", "answer": "a"},
        "prompt_completion",
        {
            "prompt": [user("Of trees.\n\nWhich?\n\nA. Oak\nB. Ash")],
            "completion": [assistant("A. Oak")],
        },
    ),
    "options as an object, the right one by its text": (
        {"question": "Which?", "options": {"A": "Oak", "B": "Ash"}, "answer": "Ash"},
        "prompt_completion",
        {"prompt": [user("Which?\n\nA. Oak\nB. Ash")], "completion": [assistant("B. Ash")]},
    ),
}
"""A row of each spelling, its dataset type, and the TRL row it becomes."""


@pytest.mark.parametrize("case", CASES)
def test_rows_are_recognized_and_converted(tmp_path, case):
    check_case(tmp_path, multiple_choice, *CASES[case])


def test_an_option_that_is_not_there_is_a_problem_of_its_row(tmp_path):
    rows = [{"question": f"Q{n}", "choices": ["a", "b"], "answer": n % 2} for n in range(9)]
    seen = inspected(tmp_path, [*rows, {"question": "Q", "choices": ["a", "b"], "answer": 7}])
    assert seen.kept == 9
    assert [(p.row, p.kind) for p in seen.problems] == [(10, "wrong_type")]
    assert "names no option" in seen.problems[0].message
