"""A run's base, checkpoints and result as columns with their steps."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio import Studio
from studio.core.errors import ConfigError
from studio.evaluation.over_checkpoints import over_steps
from studio.runs.checkpoints import mark_complete
from tests.instant import finished_run


def test_columns_follow_the_complete_checkpoints(tmp_path: Path):
    studio = Studio(tmp_path / "home")
    run = finished_run(studio, "made")
    with pytest.raises(ConfigError, match="keeps no checkpoints to score"):
        over_steps(run)
    for step in (2, 4, 6):
        folder = run.checkpoints / f"checkpoint-{step}"
        folder.mkdir(parents=True)
        (folder / "weights").write_text("x")
        if step < 6:  # the last one was cut short
            mark_complete(folder)
    columns, steps = over_steps(studio.runs.update(run.id, step=5))
    assert steps == (0, 2, 4, 5)
    assert [column.checkpoint for column in columns] == [None, 2, 4, None]
    assert columns[0].run is None and columns[-1].run == run.id
    assert over_steps(studio.runs.update(run.id, step=4))[1] == (0, 2, 4)
    studio.close()
