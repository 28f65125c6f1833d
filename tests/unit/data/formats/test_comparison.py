"""Several answers without a preference stay a comparison."""

import pytest

from studio.data.formats import comparison
from tests.unit.data.formats.recognition import check_case
from tests.unit.data.making import user

CASES = {
    "comparison": (
        {"prompt": "Q", "answer1": "A", "answer2": "B"},
        "comparison",
        {"prompt": [user("Q")], "answer1": "A", "answer2": "B"},
    ),
    "two models' answers": (
        {"instruction": "I", "gpt4_output": "A", "llama_output": "B", "id": 3},
        "comparison",
        {"prompt": [user("I")], "answer1": "A", "answer2": "B", "provenance": '{"id": 3}'},
    ),
    "a list of answers without a verdict": (
        {"prompt": "Q", "responses": ["A", "B", "C"]},
        "comparison",
        {"prompt": [user("Q")], "answer1": "A", "answer2": "B", "answer3": "C"},
    ),
    "answers called after their models": (
        {"prompt": "Q", "base": "A", "tuned": "B"},
        "comparison",
        {"prompt": [user("Q")], "answer1": "A", "answer2": "B"},
    ),
}
"""A row of each spelling, its dataset type, and the TRL row it becomes."""


@pytest.mark.parametrize("case", CASES)
def test_rows_are_recognized_and_converted(tmp_path, case):
    check_case(tmp_path, comparison, *CASES[case])
