"""Long work behind a handler: progress, and a way to cancel it."""

from __future__ import annotations

import pytest

from components.ui.background_task import Work
from studio.core.errors import Cancelled


def test_work_reports_and_can_be_cancelled():
    def task(progress):
        for done in range(10_000):
            progress(done, 10_000, "counting")
            import time

            time.sleep(0.005)

    work = Work(task)
    steps = work.steps(every=0.02, patience=0.05)
    step = next(steps)
    assert "counting" in work.say((5, 10, "counting"))
    assert step[1] in (None, 10_000)
    work.cancel()
    for _ in steps:
        pass
    with pytest.raises(Cancelled):
        work.result()
