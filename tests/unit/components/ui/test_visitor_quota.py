"""What visitors may ask of the model: the list's columns, so many answers an hour, none long."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from components.ui import access
from components.ui.visitor_quota import HOUR, LONGEST, WAITING, Visits
from studio.core.errors import ConfigError, DataError
from studio.engine.studio import Studio
from studio.generation.request import Column, GenerationRequest, Sampling
from tests.app.made_runs import ended


@pytest.fixture
def visits(tmp_path, monkeypatch):
    """Visits to a studio that answers nothing, as "mallory" at `visits.now`."""
    studio = Studio(tmp_path / "home")
    monkeypatch.setattr(studio, "generate", lambda request: SimpleNamespace(finished=True))
    monkeypatch.setattr(access, "visitor", lambda: found.who)
    monkeypatch.setenv("STUDIO_VISITOR_ANSWERS", "4")
    found = Visits(studio, clock=lambda: found.now)
    found.now, found.who, found.studio = 0.0, "mallory", studio
    return found


def request(*columns: Column, prompts: int = 1, tokens: int = 16) -> GenerationRequest:
    sampling = Sampling(max_new_tokens=tokens)
    return GenerationRequest(("hello",) * prompts, columns or (Column("pocket"),), sampling)


def test_so_many_answers_an_hour_each(visits):
    for _ in range(4):
        visits.generate(request())
    with pytest.raises(DataError, match="gets 4 answers per hour"):
        visits.generate(request())
    visits.who = "ben"
    visits.generate(request(Column("pocket"), Column("pocket")))
    with pytest.raises(DataError, match="2 left"):
        visits.count(3)
    visits.who, visits.now = "mallory", HOUR + 1
    visits.generate(request())


def test_only_what_is_in_the_list_and_not_too_long(visits):
    run = ended(visits.studio)
    visits.generate(request(Column("pocket", run.id)))
    for column in (Column("someone/large"), Column("m", endpoint="http://x/v1"), Column("/etc")):
        with pytest.raises(DataError, match="models in the list"):
            visits.generate(request(column))
    with pytest.raises(DataError, match=f"at most {LONGEST}"):
        visits.generate(request(tokens=LONGEST + 1))


def test_a_full_queue_says_so(visits, monkeypatch):
    monkeypatch.setenv("STUDIO_VISITOR_ANSWERS", "100")
    monkeypatch.setattr(visits.studio, "generate", lambda request: SimpleNamespace(finished=False))
    for _ in range(WAITING):
        visits.generate(request())
    with pytest.raises(DataError, match="Too many requests"):
        visits.generate(request())


def test_owners_are_not_counted(visits, monkeypatch):
    visits.who = None
    monkeypatch.setenv("STUDIO_VISITOR_ANSWERS", "few")
    visits.generate(request(Column("someone/large"), tokens=LONGEST + 1))
    visits.who = "mallory"
    with pytest.raises(ConfigError, match="whole number"):
        visits.generate(request())
