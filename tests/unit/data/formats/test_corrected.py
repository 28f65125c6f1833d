"""A corrected answer beside a conversation that ends with the uncorrected one."""

from __future__ import annotations

import pytest

from tests.unit.data.making import inspected


def chats(name: str, key: str = "messages") -> list[dict]:
    return [
        {
            key: [
                {"role": "user", "content": f"How many is {at} and {at}?"},
                {"role": "assistant", "content": "Five."},
            ],
            name: f"{2 * at}.",
        }
        for at in range(6)
    ]


@pytest.mark.parametrize("key", ["messages", "conversation"])
@pytest.mark.parametrize(
    "name", ["corrected_answer", "edited_response", "revision", "improved_output", "corrected"]
)
def test_the_correction_is_preferred_over_the_last_answer(tmp_path, name: str, key: str):
    found = inspected(tmp_path, chats(name, key))
    assert (found.type, found.kept) == ("preference", 6)
    row = found.sample[0]
    assert [turn["content"] for turn in row["prompt"]] == ["How many is 0 and 0?"]
    assert row["chosen"][-1]["content"] == "0." and row["rejected"][-1]["content"] == "Five."


@pytest.mark.parametrize("name", ["corrected_by", "final_answer", "edited"])
def test_other_words_and_flags_correct_nothing(tmp_path, name: str):
    rows = chats(name)
    if name == "edited":
        rows = [row | {"edited": at % 2 == 0} for at, row in enumerate(rows)]
    assert inspected(tmp_path, rows).type == "conversational"


def test_a_row_without_a_correction_is_named(tmp_path):
    rows = chats("corrected_answer")
    rows[2]["corrected_answer"] = ""
    found = inspected(tmp_path, rows)
    assert (found.type, found.kept) == ("preference", 5)
