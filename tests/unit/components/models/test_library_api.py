"""What the Models panel requests: checked field by field, and only for owners."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from components.models import library_api
from components.ui import access
from studio.core.errors import ConfigError
from studio.core.hub_search import Found
from studio.core.jobs import Job
from studio.engine.studio import Studio


@pytest.fixture
def ask(tmp_path: Path):
    studio = Studio(tmp_path / "home")
    yield {function.__name__: function for function in library_api.server_functions(studio)}
    studio.close()


@pytest.mark.parametrize(
    ("name", "sent", "field"),
    [
        ("models_mark", {"star": True}, "id"),
        ("models_mark", {"id": "run-1", "star": "often"}, "star"),
        ("models_export", {"id": "run-1"}, "to"),
        ("models_push", {"id": "export-1", "repo": 7}, "repo"),
        ("models_pull", {"repo": "a/b", "revision": None}, "revision"),
        ("models_search", {"words": "small", "largest": "huge"}, "largest"),
        ("models_cancel", {}, "job"),
        ("models_delete", "run-1", "the request"),
    ],
)
def test_a_malformed_request_names_the_field(ask, name: str, sent: object, field: str) -> None:
    error = ask[name](sent)["error"]
    assert error.startswith(f"The page sent a wrong value for {field} (") and "\n" not in error


def test_a_visitor_is_refused_before_anything_is_read(ask, monkeypatch) -> None:
    monkeypatch.setattr(library_api, "person", lambda: access.Person("mallory", owner=False))
    for function in ask.values():
        assert "Only an owner of this studio may" in function({})["error"]


def test_old_jobs_are_forgotten_and_running_ones_stay() -> None:
    def job(finished: bool) -> Job:
        stand_in = SimpleNamespace(
            finished=finished, done=1, total=2, what="x", error=None, result=lambda: {}
        )
        return stand_in  # pyright: ignore[reportReturnType]

    jobs = library_api.Jobs()
    running = jobs.put(library_api.JobView(job(False), "running", str))["job"]
    for at in range(20):
        jobs.put(library_api.JobView(job(True), f"old {at}", str))
    shown = jobs.shown()
    assert shown["busy"] and "running" in shown["jobs"] and "old 19" in shown["jobs"]
    assert len(jobs.kept) == 12 and "old 3<" not in shown["jobs"]
    last = list(jobs.kept)[-1]
    jobs.end(last)
    assert running in jobs.kept and last not in jobs.kept
    with pytest.raises(ConfigError, match="no longer running"):
        jobs.end(last)


def test_the_hub_is_searched_and_what_it_says_is_text(ask, monkeypatch) -> None:
    asked = []

    def search(words: str, largest: float | None) -> list[Found]:
        asked.append((words, largest))
        return [Found("org/<small>", 135_000_000, 9000, "apache-2.0", gated=True)] * (words != "no")

    monkeypatch.setattr(library_api.hub_search, "search", search)
    found = ask["models_search"]({"words": "small", "largest": 0.5})["found"]
    assert 'data-name="org/&lt;small&gt;"' in found and "<small>" not in found
    assert "135 M" in found and "9,000 downloads" in found and "gated" in found
    assert "No text model" in ask["models_search"]({"words": "no"})["found"]
    assert asked == [("small", 0.5), ("no", None)]


def test_a_hub_that_is_not_there_is_a_sentence(ask) -> None:
    assert "cannot be reached" in ask["models_search"]({"words": "small"})["error"]
