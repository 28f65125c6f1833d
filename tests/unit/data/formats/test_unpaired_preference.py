"""Answers rated good or bad."""

import pytest

from studio.data.formats import unpaired_preference
from tests.unit.data.formats.recognition import check_case
from tests.unit.data.making import assistant, user

CASES = {
    "kto messages": (
        {"messages": [user("Q"), assistant("A")], "label": True},
        "unpaired_preference",
        {"prompt": [user("Q")], "completion": [assistant("A")], "label": True},
    ),
    "kto prompt and completion": (
        {"prompt": "Q", "completion": "A", "label": False},
        "unpaired_preference",
        {"prompt": [user("Q")], "completion": [assistant("A")], "label": False},
    ),
}
"""A row of each spelling, its dataset type, and the TRL row it becomes."""


@pytest.mark.parametrize("case", CASES)
def test_rows_are_recognized_and_converted(tmp_path, case):
    check_case(tmp_path, unpaired_preference, *CASES[case])
