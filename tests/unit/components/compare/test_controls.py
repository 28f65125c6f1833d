"""Which models are compared by default."""

from __future__ import annotations

from studio.workflows.comparisons import column_choices, usual_columns
from tests.unit.components.finished_run import run


def test_the_newest_run_stands_beside_its_own_base():
    assert usual_columns([]) == ("base:pocket", "")
    newest = run(model="other/model", id="run-9")
    assert usual_columns([newest, run()]) == ("base:other/model", "run:run-9")
    values = [value for _, value in column_choices([newest])]
    assert values == ["base:pocket", "base:other/model", "run:run-9"]
