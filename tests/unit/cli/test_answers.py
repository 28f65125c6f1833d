"""`generate`, `pairs`, `score` and `rewards` in the shell."""

from __future__ import annotations

import pytest

from studio.evaluation import Scoring

FIGURE = {"value": 0.15, "low": 0.125, "high": 0.175, "count": 4}


def test_answers_and_pairs(shell, answering, tuned):
    prompts = ("--prompt", "Who?", "--prompt", "you agree")
    assert "tuned   tuned: Who?" in shell("generate", "--run", "tuned", *prompts).out
    sides = ("--a", "base", "--b", "tuned", "--project", "first")
    printed = shell("pairs", "make", *sides, *prompts)
    assert printed.out == "first: 1 pairs added, 1 set aside: identical\n"


@pytest.fixture
def scored(monkeypatch):
    """Scores that are there at once; `error` is the tuned model's."""

    def settle(error: str | None = None) -> None:
        def score(self, request):
            labels = [column.label for column in request.columns]
            scoring = Scoring(request.checked())
            metrics = {"contains": FIGURE}
            columns = [{"label": label, "error": None, "metrics": metrics} for label in labels]
            columns[1]["error"] = error
            differences = [{"a": labels[1], "b": labels[0], "metrics": metrics}]
            rows = {"data": request.rows.name, "rows": len(request.rows)}
            scoring.finish({**rows, "columns": columns, "differences": differences})
            return scoring

        monkeypatch.setattr("studio.engine.studio.Studio.score", score)

    return settle


SCORE = ("score", "--run", "tuned", "--data", "pocket-questions", "--limit", "4")


def test_scores_for_people_and_for_programs(shell, tuned, scored):
    scored()
    printed = shell(*SCORE, "--metrics", "contains, length", "--json")
    assert printed.code == 0 and printed.json["columns"][1]["label"] == "tuned"
    text = shell(*SCORE, "--metrics", "contains").out
    assert "pocket-questions: 4 rows" in text and "15.0 % (12.5 to 17.5 %)" in text
    assert "+15.0 points (+12.5 to +17.5)" in text


def test_a_model_that_could_not_be_scored_is_1(shell, tuned, scored):
    scored("tuned has no adapter.")
    printed = shell(*SCORE, "--metrics", "contains", "--json")
    assert printed.code == 1 and printed.json["columns"][0]["error"] is None
    assert printed.err == "error: tuned has no adapter.\n"


def test_a_preview_of_rewards(shell):
    data = ("rewards", "preview", "--data", "pocket-questions", "--reward", "contains")
    text = shell(*data, "--answer", "It is skating.", "--answer", "Nobody knows.").out
    assert "It is skating." in text and text.splitlines()[-1].split()[0] == "0"
    assert 'Did you mean "exact"?' in shell(*data[:-1], "exakt").refused(2)


def test_the_best_of_n(shell, answering, tuned):
    data = ("--data", "pocket-prompts", "--reward", "length:1-99", "--n", 2, "--limit", 3)
    printed = shell("rewards", "best", "--run", "tuned", *data, "--save", "best")
    assert printed.out.splitlines()[1].split() == ["1", "1.000"]
    assert "3 rows saved as best" in printed.out


def test_a_report_needs_a_run(shell):
    assert "There is no run 'none'" in shell("rewards", "report", "--run", "none").refused(2)
