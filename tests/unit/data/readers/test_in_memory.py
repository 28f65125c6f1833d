"""Rows given by a program instead of a file."""

import pytest

from studio.core.errors import DataError
from studio.data.readers.in_memory import GivenRows, given_format
from studio.data.types import Notes, RowError


def test_rows_given_by_a_program_become_a_dataset(store):
    rows = [
        {
            "prompt": [{"role": "user", "content": f"Q{n}"}],
            "chosen": [{"role": "assistant", "content": "a"}],
            "rejected": [{"role": "assistant", "content": "b"}],
        }
        for n in range(4)
    ]
    made = store.from_rows(rows, "preference", "My votes", {"project": "p1"})
    assert (made.rows, made.provenance) == ({"train": 4}, {"project": "p1"})
    assert made.head(9) == rows
    with pytest.raises(DataError, match="No row of x is left"):
        store.from_rows([{"prompt": "Q"}], "preference", "x")
    with pytest.raises(DataError, match="Did you mean"):
        store.from_rows(rows, "preferences", "x")


def test_rows_are_numbered_from_one_under_their_name():
    raw = list(GivenRows("votes", [{"a": 1}, {"a": 2}]).rows(Notes()))
    assert [(row.number, row.file, row.data["a"]) for row in raw] == [
        (1, "votes", 1),
        (2, "votes", 2),
    ]


@pytest.mark.parametrize(
    ("type", "row", "kind"),
    [
        ("preference", {"prompt": "a", "chosen": "b"}, "missing_field"),
        ("prompt_completion", {"prompt": "a", "completion": [{"role": "user"}]}, "wrong_type"),
        ("unpaired_preference", {"prompt": "a", "completion": "b", "label": 1}, "wrong_type"),
    ],
)
def test_only_the_fields_of_the_type_are_checked(type, row, kind):
    with pytest.raises(RowError) as caught:
        given_format(type).row(row)
    assert caught.value.kind == kind
    whole = {"text": "t", "more": 3}
    assert given_format("language_modeling").row(whole) == whole


@pytest.mark.parametrize(
    ("turn", "said"),
    [
        ({"role": "judge", "content": "x"}, 'the role "judge"'),
        ({"role": "user", "content": 3}, "no text"),
        ({"role": "assistant", "content": "", "tool_calls": [{"function": {}}]}, "function name"),
        ({"role": "assistant", "content": "x", "weight": 0.5}, "has weight 0.5"),
        ({"role": "assistant", "content": "x", "train_detail": [{"begin": 1}]}, "train_detail"),
    ],
)
def test_the_turns_of_given_rows_are_looked_at(turn, said):
    row = {"messages": [{"role": "user", "content": "Hi"}, turn]}
    with pytest.raises(RowError, match=said):
        given_format("conversational").row(row)
    fine = {"role": "assistant", "content": "x", "weight": 0, "reasoning_content": "Hm."}
    given_format("conversational").row({"messages": [{"role": "user", "content": "Hi"}, fine]})
