"""`score`: what it refuses, and how a result is told. (Real scores: tests/unit/training.)"""

from __future__ import annotations

import pytest

from studio.core.workspace import Workspace
from studio.evaluation import Scoring
from studio.runs.recipe import Recipe
from studio.runs.store import RunStore

FIGURE = {"value": 1.5, "low": 1.25, "high": 1.75, "count": 4}


@pytest.fixture
def run(home) -> str:
    return RunStore(Workspace(home)).create(Recipe.defaults("sft", name="mine")).id


def test_refusals_are_one_sentence(shell, run):
    assert "There is no run 'none'" in shell(
        "score", "--run", "none", "--data", "pocket-questions"
    ).refused(2)
    said = shell("score", "--run", run, "--data", "pocket-questions", "--metrics", "containz")
    assert 'Did you mean "contains"?' in said.refused(2)
    said = shell("score", "--run", run, "--data", "pocket-questions", "--metrics", "loss")
    assert "loss needs prompt completion" in said.refused(2)
    said = shell("score", "--run", run, "--data", "pocket-prompts", "--metrics", "exact_match")
    assert "holds none" in said.refused(2)


def test_a_result_is_told_to_people_and_to_machines(shell, run, monkeypatch):
    def score(self, request):
        labels = [column.label for column in request.columns]
        scoring = Scoring(request.checked())
        scoring.finish(
            {
                "data": request.rows.name,
                "rows": len(request.rows),
                "columns": [
                    {"label": label, "error": None, "metrics": {"contains": FIGURE}}
                    for label in labels
                ],
                "differences": [{"a": labels[1], "b": labels[0], "metrics": {"contains": FIGURE}}],
            }
        )
        return scoring

    monkeypatch.setattr("studio.engine.studio.Studio.score", score)
    given = ("score", "--run", run, "--data", "pocket-questions", "--limit", "4")
    said = shell(*given, "--metrics", "contains", "--json")
    assert said.code == 0 and said.json["columns"][1]["label"] == "mine"
    text = shell(*given, "--metrics", "contains").out
    assert "pocket-questions: 4 rows" in text and "+1.5 [+1.25, +1.75]" in text
