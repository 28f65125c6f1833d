"""Prompts without answers."""

import pytest

from studio.data.formats import prompt_only
from tests.unit.data.formats.recognition import check_case
from tests.unit.data.making import system, user

CASES = {
    "prompts": ({"prompt": "Say hi", "id": 4}, "prompt_only", {"prompt": [user("Say hi")]}),
    "prompts as messages": (
        {"prompt": [system("S"), user("Say hi")]},
        "prompt_only",
        {"prompt": [system("S"), user("Say hi")]},
    ),
    "prompts with accepted answers": (
        {"prompt": "Who?", "answers": ["Ada", "Ada L."], "kind": "fact"},
        "prompt_only",
        {"prompt": [user("Who?")], "answers": ["Ada", "Ada L."]},
    ),
    "two-turn prompts": (
        {"question_id": 1, "turns": ["First", "Then"]},
        "prompt_only",
        {"prompt": [user("First")], "follow_ups": ["Then"]},
    ),
    "numbered questions": (
        {"question_id": 1, "text": "Why?", "category": "c"},
        "prompt_only",
        {"prompt": [user("Why?")]},
    ),
    "numbered turns of the user": (
        {"id": 4, "turn1": "First", "turn2": "Then"},
        "prompt_only",
        {"prompt": [user("First")], "follow_ups": ["Then"]},
    ),
}
"""A row of each spelling, its dataset type, and the TRL row it becomes."""


@pytest.mark.parametrize("case", CASES)
def test_rows_are_recognized_and_converted(tmp_path, case):
    check_case(tmp_path, prompt_only, *CASES[case])
