"""An error in one column stays in that column."""

from __future__ import annotations

import pytest

from studio.core.errors import Cancelled, ModelError
from studio.evaluation.column_values import WRONG_KEPT, Measured, Wrong, in_column


def failing(error: Exception):
    def work() -> None:
        raise error

    return work


def test_known_errors_are_kept_as_the_columns_sentence():
    column = Measured()
    in_column(column, lambda: column.values.update(loss=[(1.0, 2.0)]))
    assert column.error is None and column.values["loss"] == [(1.0, 2.0)]
    in_column(column, failing(ModelError("The base is gone.")))
    assert column.error == "The base is gone."
    in_column(column, failing(MemoryError()))
    assert "ran out of memory" in (column.error or "")


@pytest.mark.parametrize("error", [Cancelled(), ZeroDivisionError("a bug")])
def test_a_cancel_and_a_bug_end_the_scoring(error: Exception):
    with pytest.raises(type(error)):
        in_column(Measured(), failing(error))


def test_all_wrong_answers_are_counted_and_the_first_are_kept():
    found = Wrong("exact_match")
    for row in range(WRONG_KEPT + 3):
        found.add(row, "What?", "Sweet.", against="Sour.")
    assert found.count == WRONG_KEPT + 3 and len(found.rows) == WRONG_KEPT
    assert found.rows[0] == {"row": 0, "prompt": "What?", "answer": "Sweet.", "against": "Sour."}
