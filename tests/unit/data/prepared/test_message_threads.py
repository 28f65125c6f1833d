"""Single messages that name the one they answer, or their conversation, are put together."""

import pytest

from studio.data.formats.column_profile import profile
from studio.data.prepared.message_threads import find_threads
from studio.data.readers.in_memory import GivenRows
from studio.data.types import Notes


def threads(rows):
    found = find_threads(GivenRows("rows", rows), profile(rows))
    assert found is not None
    notes = Notes()
    return list(found.rows(notes)), notes


def message(at, parent, role, rank=None):
    names = {"message_id": at, "parent_id": parent, "role": role, "text": f"t{at}", "rank": rank}
    return names


def said(node):
    texts = []
    while node:
        texts.append(node["content"])
        node = node["replies"][0] if node["replies"] else None
    return texts


def test_a_tree_becomes_the_path_of_the_best_ranked_replies():
    rows = [
        message("a", None, "prompter"),
        message("b", "a", "assistant", 1),
        message("c", "a", "assistant", 0),
        message("d", "c", "prompter"),
        message("e", "d", "assistant"),
    ]
    found, notes = threads(rows)
    assert [said(raw.data["prompt"]) for raw in found] == [["ta", "tc", "td", "te"]]
    assert found[0].number == 1 and "ranked best" in notes[0]


def test_messages_of_one_conversation_are_joined_in_order():
    rows = [
        {"conversation_id": n % 2, "role": ["user", "assistant"][n // 2], "content": f"{n}"}
        for n in range(4)
    ]
    found, _ = threads(rows)
    assert [said(raw.data["prompt"]) for raw in found] == [["0", "2"], ["1", "3"]]


def test_an_answer_to_a_message_that_is_not_there_is_a_problem():
    found, _ = threads([message("a", "gone", "assistant"), message("b", None, "prompter")])
    assert [raw.error.kind if raw.error else None for raw in found] == ["no_partner", None]


def test_a_circle_of_messages_ends():
    rows = [
        message("a", None, "prompter"),
        message("b", "c", "assistant"),
        message("c", "b", "prompter"),
    ]
    assert [said(raw.data["prompt"]) for raw in threads(rows)[0]] == [["ta"]]


@pytest.mark.parametrize(
    "row",
    [
        {"message_id": "a", "parent_id": None, "role": "elf", "text": "t"},
        {"id": 1, "role": "user", "text": "t"},
        {"conversation_id": 1, "content": "t"},
    ],
)
def test_rows_that_are_no_messages_are_left_alone(row):
    assert find_threads(GivenRows("rows", [row]), profile([row])) is None
