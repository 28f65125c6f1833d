"""The cards of the Models tab."""

from __future__ import annotations

from components.models.cards_html import working
from components.models.library_api import JobView
from studio.core.jobs import Job


def test_a_card_shows_a_job_that_does_not_know_its_total_yet() -> None:
    job: Job[dict[str, str]] = Job(kind="push")
    markup = working(JobView(job, "Push to me/mine", lambda result: "").as_dict("job-1"))
    assert "width:0%" in markup and "Waiting for the model" in markup
