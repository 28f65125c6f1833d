"""Prompt sets as markup: filters and search."""

from __future__ import annotations

from components.compare import batch_html
from studio.workflows.comparisons import Comparison, Side


def test_filters_leave_the_prompts_they_name():
    def cells(*texts: str) -> list[dict]:
        return [
            {"text": t, "tokens": len(t), "ended": "stop" if t else "error", "error": None}
            for t in texts
        ]

    prompts = [[{"role": "user", "content": f"Question {n}"}] for n in range(3)]
    sides = (Side("a", "base", "pocket"), Side("b", "tuned", "pocket", "run-1"))
    comparison = Comparison(
        "comparison-1",
        "x",
        0.0,
        sides,
        prompts,
        [cells("same", "short", "one"), cells("same", "much longer", "")],
        {},
    )
    left = {name: batch_html.matching(comparison, name, "") for name in batch_html.FILTERS}
    assert left == {
        "all": [0, 1, 2],
        "different": [1, 2],
        "same": [0],
        "B longer": [1],
        "B shorter": [2],
        "cut off or failed": [2],
        "best of its prompt": [],
    }
    assert batch_html.matching(comparison, "all", "LONGER") == [1]
    assert batch_html.matching(comparison, "all", "question 2") == [2]
