from __future__ import annotations

import pytest

from studio.core.errors import DataError
from studio.labels import Pair, items_from_rows, pairs_from_texts
from studio.labels.pair_filter import pair_digest

BASE, TUNED = {"label": "base"}, {"label": "tuned"}


def test_worthless_pairs_are_set_aside_and_counted_by_reason():
    prompts = ["one", "two", "two", "three", "four", " ", "five"]
    first = ["a", "same text", "x", "", "x", "a", "p"]
    second = ["b", "same  text\n", "y", "b", "  ", "b", "q"]
    items, aside = pairs_from_texts(prompts, first, second, BASE, TUNED)
    assert [item.prompt[0]["content"] for item in items] == ["one", "two", "five"]
    assert aside == {"identical": 1, "empty answer": 2, "empty prompt": 1}
    assert items[0].source_b == TUNED


def test_duplicates_count_in_either_order():
    _, aside = pairs_from_texts(["q", "q", "q"], ["a", "b", "a"], ["b", "a", "c"], BASE, TUNED)
    assert aside == {"duplicate": 1}
    assert pair_digest(Pair("q", "a", "b")) == pair_digest(Pair("q", "b ", " a"))
    assert pair_digest(Pair("q", "a", "b")) != pair_digest(Pair("other", "a", "b"))


def test_unequal_columns_are_refused():
    with pytest.raises(DataError, match="2 prompts, 1 first and 2 second"):
        pairs_from_texts(["q", "r"], ["a"], ["b", "c"], BASE, TUNED)


def test_several_turns_are_kept_as_they_are():
    turns = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hello"}]
    (item,), _ = pairs_from_texts([turns], ["a"], ["b"], BASE, TUNED)
    assert item.prompt == turns


def test_rows_of_comparison_and_preference_datasets_become_items():
    compared = {"prompt": "q", "answer1": "a", "answer2": "b", "model1": "opt", "model2": "llama"}
    said = [{"role": "assistant", "content": "good"}]
    preferred = {
        "prompt": [{"role": "user", "content": "q"}],
        "chosen": said,
        "rejected": [{"role": "assistant", "content": "bad"}],
    }
    first, second = items_from_rows([compared, preferred], {"dataset": "data-1"})
    assert (first.source_a, first.source_b) == ({"label": "opt"}, {"label": "llama"})
    assert first.provenance == {"dataset": "data-1", "row": 1}
    assert (second.answer_a, second.answer_b) == ("good", "bad")
    assert second.source_a == {"label": "chosen"}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"prompt": "q", "answer1": "a"}, "Row 1: no 'answer2'"),
        ({"prompt": 3, "answer1": "a", "answer2": "b"}, "expected text or a list"),
        ({"prompt": ["x"], "answer1": "a", "answer2": "b"}, "row 1, turn 1: expected a message"),
        ({"prompt": [{"role": "user"}], "answer1": "a", "answer2": "b"}, "content must be text"),
    ],
)
def test_rows_that_cannot_be_items_are_named(row, message):
    with pytest.raises(DataError, match=message):
        items_from_rows([row])


def test_an_answer_that_is_not_text_is_named():
    with pytest.raises(DataError, match="Item 1: answer b must be text, found int"):
        pairs_from_texts(["q"], ["a"], [3], BASE, TUNED)


def test_nearly_the_same_answers_are_set_aside_and_short_ones_told_apart():
    long = " ".join(f"word{n}" for n in range(60))
    first = ["Gwen is a baker.", "Gwen is a baker.", long, "1", "✓"]
    second = ["gwen is a baker!", "Gwen is a tailor.", f"{long} more", "2", "✗"]
    items, aside = pairs_from_texts(list("abcde"), first, second, BASE, TUNED)
    assert aside == {"near-identical": 2}
    assert [item.answer_b for item in items] == ["Gwen is a tailor.", "2", "✗"]
