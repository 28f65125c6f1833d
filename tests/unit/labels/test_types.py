"""Messages from what a prompt may be, and which side is on the left."""

from __future__ import annotations

import pytest

from studio.core.errors import DataError
from studio.labels.types import as_messages, side_order, source_label


def test_sides_are_shuffled_by_person_and_item_about_evenly(store, make_items):
    project = store.create_project("many", order="given", seed=1)
    store.add_items(project.id, make_items(200))
    orders = {
        name: [item.order for item in store.upcoming(project.id, name, 200)]
        for name in ("ada", "ben")
    }
    assert orders["ada"] != orders["ben"]
    for order in orders.values():
        assert 75 <= order.count("ab") <= 125


def test_the_side_on_the_left_is_fixed_and_swapped_on_a_repeat():
    first = side_order(7, "ada", 3)
    assert first == side_order(7, "ada", 3) and first != side_order(7, "ada", 3, turn=1)


def test_a_prompt_is_text_or_messages_and_anything_else_is_named():
    assert as_messages("  ") == [] and as_messages("q") == [{"role": "user", "content": "q"}]
    assert as_messages([{"content": "a\0b"}]) == [{"role": "user", "content": "a\ufffdb"}]
    for prompt, message in (
        (3, "expected text or a list of messages, found int"),
        (["q"], "row 1, turn 1: expected a message"),
        ([{"role": "user"}], "content must be text, found NoneType"),
    ):
        with pytest.raises(DataError, match=message):
            as_messages(prompt, "row 1")


def test_a_source_is_named_by_its_label_run_or_model():
    assert source_label({"run": "r", "model": "m"}) == "r" and source_label({}) == "unnamed"
