"""Rows given by a program instead of a file."""

import pytest

from studio.core.errors import DataError


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
