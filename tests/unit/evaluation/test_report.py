"""Figures with intervals, and each column beside the first."""

from __future__ import annotations

import pytest

from studio.evaluation.column_values import Measured
from studio.evaluation.eval_rows import ScoreRows
from studio.evaluation.report import build
from studio.evaluation.request import ScoreRequest
from studio.generation.request import Column


def test_columns_have_means_and_differences_and_a_failed_one_has_neither():
    rows = [{"prompt": [{"role": "user", "content": f"q{n}"}]} for n in range(4)]
    columns = (Column("pocket", label="base"), Column("pocket", "r", "tuned"), Column("gone"))
    request = ScoreRequest(columns, ScoreRows("facts", "prompt_only", rows), ("length",))
    measured = [
        Measured({"length": [(float(n), 1.0) for n in range(4)]}),
        Measured({"length": [(n + 2.0, 1.0) for n in range(4)]}),
        Measured(error="It is gone."),
    ]
    found = build(request, measured)
    base, tuned, gone = found["columns"]
    assert (base["metrics"]["length"]["value"], tuned["metrics"]["length"]["value"]) == (1.5, 3.5)
    assert base["metrics"]["length"]["low"] < 1.5 < base["metrics"]["length"]["high"]
    assert gone["error"] == "It is gone." and gone["metrics"] == {}
    [difference] = found["differences"]
    assert (difference["a"], difference["b"]) == ("tuned", "base")
    paired = difference["metrics"]["length"]
    assert [paired[key] for key in ("value", "low", "high")] == pytest.approx([2.0] * 3)
