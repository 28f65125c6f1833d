"""The prompt and the references of a row, whatever its type."""

from __future__ import annotations

import pytest

from studio.core.messages import prompt_and_references

ASKED = [{"role": "user", "content": "Why?"}]


@pytest.mark.parametrize(
    ("row", "references"),
    [
        ({"prompt": "Why?"}, ()),
        ({"prompt": "Why?", "completion": "So."}, ("So.",)),
        ({"prompt": ASKED, "completion": [{"role": "assistant", "content": "So."}]}, ("So.",)),
        ({"prompt": "Why?", "chosen": "So.", "rejected": "No."}, ("So.",)),
        ({"prompt": "Why?", "answers": ["So.", 7]}, ("So.", "7")),
        ({"prompt": "Why?", "answers": "So."}, ("So.",)),
        ({"messages": [*ASKED, {"role": "assistant", "content": "So."}]}, ("So.",)),
        ({"messages": ASKED}, ()),
    ],
)
def test_a_row_asks_and_holds_its_answers(row, references):
    assert prompt_and_references(row) == (ASKED, references)


def test_content_that_is_missing_is_empty():
    row = {"messages": [{"role": "user", "content": None}]}
    assert prompt_and_references(row) == ([{"role": "user", "content": ""}], ())


@pytest.mark.parametrize(
    "row", [{}, {"text": "plain"}, {"messages": [{"role": "assistant", "content": "Hello."}]}]
)
def test_a_row_that_asks_nothing_has_no_prompt(row):
    assert prompt_and_references(row) is None
