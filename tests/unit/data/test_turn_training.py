"""Fields on a message that say whether it is trained: read, refused, kept to the trainer."""

import pytest

from studio.data import inspect
from studio.data.formats.chat_turns import to_messages
from studio.data.turn_training import decision, read, without
from studio.data.types import RowError
from tests.unit.data.making import write

RANGES = [{"begin_offset": 0, "end_offset": 3, "train": True}]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"weight": 1}, {"weight": 1}),
        ({"weight": 0.0}, {"weight": 0}),
        ({"train": False}, {"train": False}),
        ({"loss": 1}, {"loss": True}),
        ({"loss_weight": 1.0}, {"loss_weight": 1}),
        ({"loss_weight": None, "name": "x"}, {}),
        ({"train_detail": RANGES}, {"train_detail": RANGES}),
    ],
)
def test_values_are_kept_as_yes_or_no(given, kept):
    assert read(given, "Turn 1", "messages") == kept


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"weight": 0.5}, r"Turn 2 has weight 0\.5; write the number 1 for a"),
        ({"weight": "0"}, r'Turn 2 has weight "0"; write the number 1 for a'),
        ({"train": "no"}, 'Turn 2 has train "no"'),
        ({"weight": 1, "loss": False}, "trained by one of weight, loss and not by another"),
        (
            {"train_detail": [{"begin_offset": 4, "end_offset": 1, "train": True}]},
            "no list of ranges",
        ),
        ({"train_detail": "0-4"}, "no list of ranges"),
    ],
)
def test_anything_else_is_refused_in_a_sentence(given, said):
    with pytest.raises(RowError, match=said) as refused:
        read(given, "Turn 2", "messages")
    assert refused.value.field == "messages"


def test_only_axolotls_fields_speak_for_turns_that_are_not_the_assistants():
    assert decision({"role": "user", "content": "", "weight": 1}) is None
    assert decision({"role": "user", "content": "", "train": True}) == (True, "train true")
    asked = {"role": "user", "content": "", "train_detail": RANGES}
    assert decision(asked) == (True, "train_detail")
    assert decision({**asked, "train_detail": []}) is None
    assert decision({"role": "assistant", "content": "", "weight": 0}) == (False, "weight 0")
    assert decision({"role": "assistant", "content": "", "train_detail": RANGES}) == (
        True,
        "train_detail",
    )
    assert without({"role": "user", "content": "a", "train": True}) == {
        "role": "user",
        "content": "a",
    }


def test_sharegpt_turns_keep_their_fields():
    turns = [
        {"from": "human", "value": "Hi"},
        {"from": "gpt", "value": "Hello", "train": False, "score": 3},
    ]
    assert to_messages(turns, "conversations")[1] == {
        "role": "assistant",
        "content": "Hello",
        "train": False,
    }


def test_rows_come_back_from_disk_as_they_were(tmp_path, store):
    turns = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello", "weight": 0},
        {"role": "user", "content": "And?"},
        {"role": "assistant", "content": "Bye now", "train_detail": RANGES},
    ]
    rows = [{"messages": [*turns, {"role": "user", "content": f"{n}?"}]} for n in range(4)]
    dataset = store.prepare(write(tmp_path, rows))
    back = [row for split in dataset.rows for row in dataset.head(4, split)]
    assert sorted(back, key=str) == sorted(rows, key=str)
    odd = [*rows, {"messages": [turns[0], {**turns[1], "weight": 0.3}]}]
    found = inspect(write(tmp_path, odd, "odd.jsonl"))
    assert (found.rows, found.kept) == (5, 4)
    assert any("weight 0.3" in problem.message for problem in found.problems)
