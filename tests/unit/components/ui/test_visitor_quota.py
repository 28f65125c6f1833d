"""What visitors may ask of the model: the list's columns, so many answers an hour, none long."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from components.ui import access
from components.ui.visitor_quota import HOUR, LONGEST, WAITING, Visits
from studio.core.errors import ConfigError, DataError
from studio.engine.studio import Studio
from studio.generation.request import Column, GenerationRequest, Sampling
from studio.labels import Pair
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


def ask(text: str, **column: object) -> GenerationRequest:
    return GenerationRequest(([{"role": "user", "content": text}],), (Column("pocket", **column),))


def test_a_prompt_still_to_be_judged_is_not_answered(visits, monkeypatch):
    """Greedy answers repeat: asking for them would tell an annotator which is the base's."""
    labels = visits.studio.labels
    project = labels.create_project("first", order="given")
    labels.add_items(project.id, [Pair("Who are you?", "a", "b"), Pair("Where?", "c", "d")])
    monkeypatch.setattr(access, "login", lambda: visits.who)
    for text in ("Who are you?", "  who ARE you ", "Who are you"):
        with pytest.raises(DataError, match="judged blind"):
            visits.generate(ask(text))
    own = ([{"role": "user", "content": "Where?"}],)
    with pytest.raises(DataError, match="judged blind"):
        visits.generate(ask("hello", prompts=own))
    shown = labels.next_item(project.id, "mallory")
    labels.vote(project.id, shown.item_id, "mallory", "a")
    visits.generate(ask("Who are you?"))
    visits.who = "ben"
    with pytest.raises(DataError, match="judged blind"):
        visits.generate(ask("Who are you?"))
    labels.add_items(project.id, [Pair("And now?", "e", "f")])
    with pytest.raises(DataError, match="judged blind"):
        visits.generate(ask("And now?"))
    monkeypatch.setenv("STUDIO_BLIND_PROMPTS", "off")
    visits.generate(ask("And now?"))
    visits.who = None
    visits.generate(ask("Where?"))
