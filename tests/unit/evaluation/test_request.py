"""What can be scored on which rows."""

from __future__ import annotations

from typing import Any

import pytest

from studio.core.errors import ConfigError, StudioError
from studio.evaluation.eval_rows import ScoreRows
from studio.evaluation.request import ScoreRequest, usual_metrics
from studio.generation.request import Column

ASKED = [{"role": "user", "content": "q"}]
ROWS = ScoreRows("facts", "prompt_only", [{"prompt": ASKED}])
BASE = Column("pocket", label="base")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"columns": ()}, "at least one column"),
        ({"metrics": ()}, "Name a metric"),
        ({"metrics": ("lenght",)}, "no metric 'lenght'.*length"),
        ({"metrics": ("loss",)}, "loss"),
        ({"metrics": ("exact_match",)}, "needs answers to compare with"),
        ({"metrics": ("kl_from_base",)}, "needs the base as a column"),
        ({"metrics": ("regex",)}, "needs a pattern"),
        ({"metrics": ("reward",)}, "needs one to give"),
    ],
)
def test_what_cannot_be_scored_is_a_sentence(changes: dict[str, Any], message: str):
    asked: dict[str, Any] = {"columns": (BASE,), "rows": ROWS, "metrics": ("length",)}
    assert ScoreRequest(**asked).checked().metrics == ("length",)
    with pytest.raises((ConfigError, StudioError), match=message):
        ScoreRequest(**asked | changes).checked()


def test_usual_metrics_need_no_setting_and_no_missing_answers():
    assert "length" in usual_metrics(ROWS) and "exact_match" not in usual_metrics(ROWS)
    answered = ScoreRows("facts", "prompt_completion", [{"prompt": "q", "completion": "a"}])
    assert {"loss", "exact_match"} <= set(usual_metrics(answered))
