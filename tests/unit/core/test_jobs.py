"""A job ends with a result or an error, and stops when somebody asks it to."""

from __future__ import annotations

import logging
import threading

import pytest

from studio.core.errors import Cancelled, DataError
from studio.core.jobs import Job, Report


def test_a_job_returns_what_its_work_returned() -> None:
    job: Job[int] = Job().start(lambda report: 42)
    assert job.result(10) == 42
    assert job.finished and job.error is None and not list(job.steps())


def test_the_error_is_raised_again_and_told_as_a_sentence(caplog: pytest.LogCaptureFixture) -> None:
    def refused(report: Report) -> None:
        raise DataError("Row 3 has no answer.")

    def broken(report: Report) -> None:
        raise KeyError("rows")

    job: Job[None] = Job().start(refused)
    with pytest.raises(DataError, match="Row 3"):
        job.result(10)
    assert job.error == "Row 3 has no answer." and not caplog.records
    with caplog.at_level(logging.ERROR):
        job = Job(kind="import").start(broken)
        assert job.wait(10)
    assert job.error == "The import broke off with KeyError: 'rows'"
    assert "the import broke off" in caplog.text


def test_it_reports_its_progress_and_stops_when_asked() -> None:
    waiting = threading.Event()

    def count(report: Report) -> None:
        for done in range(1000):
            report(done, 1000, "counting")
            if done == 5:
                waiting.wait(10)

    job: Job[None] = Job(kind="count").start(count)
    steps = job.steps(every=0.001, patience=0.001)
    assert next(step for step in steps if step[0] == 5) == (5, 1000, "counting")
    assert job.progress_text() == "counting, 5 of 1,000"
    job.cancel()
    waiting.set()
    with pytest.raises(Cancelled, match="The count was stopped"):
        job.result(10)
    assert job.error == "The count was stopped."


def test_waiting_ends_after_its_time() -> None:
    job: Job[None] = Job(kind="scoring")
    assert not job.wait(0) and not job.finished and job.error is None
    with pytest.raises(TimeoutError, match="The scoring has not ended within"):
        job.result(0.01)
    job.expect(2)
    job.step(1, "rows")
    assert (job.done, job.total, job.what) == (1, 2, "rows")
    job.finish(None)
    assert job.wait(0)
