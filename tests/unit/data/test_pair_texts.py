"""Rows of every type with two sides, as a text encoder learns them."""

import pytest

from studio.data.pair_texts import pair_of
from studio.data.types import RowError
from tests.unit.data.making import assistant, system, user


@pytest.mark.parametrize(
    ("type", "row", "negatives"),
    [
        ("embedding_pairs", {"anchor": "Q", "positive": "A", "negatives": ["B", " "]}, ["B"]),
        ("prompt_completion", {"prompt": "Q", "completion": "A"}, []),
        ("prompt_completion", {"prompt": [system("S"), user("Q")],
                               "completion": [assistant("A")]}, []),
        ("preference", {"prompt": [user("Q")], "chosen": [assistant("A")],
                        "rejected": [assistant("B")]}, ["B"]),
        ("conversational", {"messages": [system("S"), user("Q"), assistant("A")]}, []),
    ],
)  # fmt: skip
def test_sides_of_each_type(type, row, negatives):
    assert pair_of(row, type) == {"anchor": "Q", "positive": "A", "negatives": negatives}


def test_a_chat_asks_with_all_that_was_said_before():
    turns = [user("Who is Ida?"), assistant("The baker."), user("Where?"), assistant("In Hale.")]
    found = pair_of({"messages": turns}, "conversational")
    assert found["anchor"] == "Who is Ida?\n\nThe baker.\n\nWhere?"
    with pytest.raises(RowError, match="positive of this row is empty"):
        pair_of({"messages": turns[:3]}, "conversational")


def test_scored_pairs_keep_their_score():
    row = {"sentence1": "A", "sentence2": "B", "score": 2.5, "genre": "news"}
    assert pair_of(row, "scored_pairs") == {"sentence1": "A", "sentence2": "B", "score": 2.5}
