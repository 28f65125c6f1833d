"""Columns of several answers, and columns of votes on them, by their names."""

import pytest

from studio.data.formats.answer_columns import answer_columns, vote_columns
from studio.data.formats.column_profile import profile


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (["prompt", "response_b", "response_a"], ["response_a", "response_b"]),
        (["q", "answer2", "answer1", "answer3"], ["answer1", "answer2", "answer3"]),
        (["q", "gpt4_output", "llama_output"], ["gpt4_output", "llama_output"]),
        (["q", "good_output", "gold_output"], []),
        (["q", "base", "mistral"], ["base", "mistral"]),
        (["q", "mine", "yours"], []),
        (["q", "answer1"], []),
    ],
)
def test_answers_share_a_stem_or_are_named_after_models(columns, expected):
    assert answer_columns(profile([dict.fromkeys(columns, "some text")])) == expected


def test_votes_are_numbered_columns_with_few_values():
    rows = [
        {"annotator1": n % 3, "annotator2": n % 2, "vote3": f"free text {n}", "annotator": 1}
        for n in range(30)
    ]
    assert vote_columns(profile(rows)) == ["annotator1", "annotator2"]
