"""Rows as Argilla 2 pushes them to the Hub: values and states in columns of each question."""

import pytest

from tests.unit.data.making import inspected

RANKED = [{"value": "response1", "rank": 2}, {"value": "response2", "rank": 1}]


def rows(question, value, status="submitted"):
    return [
        {
            "id": str(n),
            "status": "completed",
            "prompt": f"Question {n}?",
            "response1": f"one {n}",
            "response2": f"two {n}",
            f"{question}.suggestion": None,
            f"{question}.suggestion.score": None,
            f"{question}.responses": [value] if n else None,
            f"{question}.responses.users": ["u"] if n else None,
            f"{question}.responses.status": [status] if n else None,
        }
        for n in range(5)
    ]


@pytest.mark.parametrize("value", ["response2", RANKED], ids=["a choice", "a ranking"])
def test_choices_and_rankings_are_votes(tmp_path, value):
    found = inspected(tmp_path, rows("best", value))
    assert (found.type, found.kept) == ("preference", 4)
    assert found.problem_counts == {"not_judged": 1}  # the row that nobody answered
    first = found.sample[0]
    assert first["chosen"][0]["content"] == "two 1"
    assert first["rejected"][0]["content"] == "one 1"


def test_discarded_answers_do_not_count(tmp_path):
    assert inspected(tmp_path, rows("best", "response2", "discarded")).type == "comparison"
