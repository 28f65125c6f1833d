"""Message trees become one conversation."""

import pytest

from studio.data.formats import message_trees
from tests.unit.data.formats.recognition import check_case
from tests.unit.data.making import assistant, user

CASES = {
    "a tree of messages with ranked replies": (
        {
            "message_tree_id": "t",
            "prompt": {
                "text": "Hi",
                "role": "prompter",
                "replies": [
                    {"text": "No", "role": "assistant", "rank": 1, "replies": []},
                    {"text": "Yo", "role": "assistant", "rank": 0, "replies": []},
                ],
            },
        },
        "conversational",
        {"messages": [user("Hi"), assistant("Yo")]},
    )
}
"""A row of each spelling, its dataset type, and the TRL row it becomes."""


@pytest.mark.parametrize("case", CASES)
def test_rows_are_recognized_and_converted(tmp_path, case):
    check_case(tmp_path, message_trees, *CASES[case])
