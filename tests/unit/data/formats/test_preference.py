"""Better and worse answers become preference rows."""

import json

import pytest

from studio.data.formats import preference
from tests.unit.data.formats.recognition import check_case
from tests.unit.data.making import assistant, system, user

HH = "\n\nHuman: Hi  \n\nAssistant: Yes?\n\nHuman: Name a tree.\n\nAssistant: "
CASES = {
    "preference strings": (
        {"prompt": "Q", "chosen": "good", "rejected": "bad"},
        "preference",
        {"prompt": [user("Q")], "chosen": [assistant("good")], "rejected": [assistant("bad")]},
    ),
    "preference with instruction and input": (
        {"instruction": "I", "input": "x", "output": "good", "rejected": "bad", "chosen": "good"},
        "preference",
        {"prompt": [user("I\n\nx")], "chosen": [assistant("good")], "rejected": [assistant("bad")]},
    ),
    "preference objects after ShareGPT turns": (
        {
            "conversations": [{"from": "system", "value": "S"}, {"from": "human", "value": "Q"}],
            "chosen": {"from": "gpt", "value": "good"},
            "rejected": {"from": "gpt", "value": "bad"},
        },
        "preference",
        {
            "prompt": [system("S"), user("Q")],
            "chosen": [assistant("good")],
            "rejected": [assistant("bad")],
        },
    ),
    "preference sides that repeat the prompt": (
        {
            "prompt": "Q",
            "chosen": [user("Q"), assistant("good")],
            "rejected": [user("Q"), assistant("bad")],
            "score_chosen": 4.0,
            "score_rejected": 2.0,
        },
        "preference",
        {"prompt": [user("Q")], "chosen": [assistant("good")], "rejected": [assistant("bad")]},
    ),
    "preference sides beside the finished conversation": (
        {
            "prompt": "Q",
            "messages": [user("Q"), assistant("good")],
            "chosen": [user("Q"), assistant("good")],
            "rejected": [user("Q"), assistant("bad")],
        },
        "preference",
        {"prompt": [user("Q")], "chosen": [assistant("good")], "rejected": [assistant("bad")]},
    ),
    "preference sides as JSON in strings": (
        {
            "chosen": json.dumps([user("Q"), assistant("good")]),
            "rejected": json.dumps([user("Q"), assistant("bad")]),
        },
        "preference",
        {"prompt": [user("Q")], "chosen": [assistant("good")], "rejected": [assistant("bad")]},
    ),
    "preference sides without a prompt column": (
        {"chosen": [user("Q"), assistant("good")], "rejected": [user("Q"), assistant("bad")]},
        "preference",
        {"prompt": [user("Q")], "chosen": [assistant("good")], "rejected": [assistant("bad")]},
    ),
    "transcripts": (
        {"chosen": HH + "Oak", "rejected": HH + "Go away"},
        "preference",
        {
            "prompt": [user("Hi  "), assistant("Yes?"), user("Name a tree.")],
            "chosen": [assistant("Oak")],
            "rejected": [assistant("Go away")],
        },
    ),
    "response_j": (
        {"question": "Q", "response_j": "good", "response_k": "bad"},
        "preference",
        {"prompt": [user("Q")], "chosen": [assistant("good")], "rejected": [assistant("bad")]},
    ),
    "good and bad": (
        {"query": "Q", "good_answer": "good", "bad_answer": "bad"},
        "preference",
        {"prompt": [user("Q")], "chosen": [assistant("good")], "rejected": [assistant("bad")]},
    ),
    "openai's preference": (
        {
            "input": {"messages": [user("Q")], "tools": []},
            "preferred_output": [assistant("good")],
            "non_preferred_output": [assistant("bad")],
        },
        "preference",
        {"prompt": [user("Q")], "chosen": [assistant("good")], "rejected": [assistant("bad")]},
    ),
}
"""A row of each spelling, its dataset type, and the TRL row it becomes."""


@pytest.mark.parametrize("case", CASES)
def test_rows_are_recognized_and_converted(tmp_path, case):
    check_case(tmp_path, preference, *CASES[case])
