"""Classes, short answers and translations become completions."""

import pytest

from studio.data.formats import classification
from tests.unit.data.formats.recognition import check_case
from tests.unit.data.making import assistant, user

CASES = {
    "an answer that is a number": (
        {"question": "6 * 7?", "answer": 42, "level": "easy"},
        "prompt_completion",
        {"prompt": [user("6 * 7?")], "completion": [assistant("42")]},
    ),
    "a translation": (
        {"id": "1", "translation": {"en": "Good morning", "de": "Guten Morgen"}},
        "prompt_completion",
        {"prompt": [user("Good morning")], "completion": [assistant("Guten Morgen")]},
    ),
}
"""A row of each spelling, its dataset type, and the TRL row it becomes."""


@pytest.mark.parametrize("case", CASES)
def test_rows_are_recognized_and_converted(tmp_path, case):
    check_case(tmp_path, classification, *CASES[case])
