"""For the tests of commands and of the shell: a workspace with votes, and models that answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from studio.core.workspace import Workspace
from studio.generation.request import Generation
from studio.labels import LabelStore, Pair
from studio.runs.recipe import Recipe
from studio.runs.store import RunStore


@pytest.fixture
def store(home: Path) -> RunStore:
    """The workspace's runs."""
    return RunStore(Workspace(home))


@pytest.fixture
def labels(home: Path):
    """The workspace's labeling projects."""
    store = LabelStore(Workspace(home).votes_url)
    yield store
    store.close()


@pytest.fixture
def voted(labels):
    """A project of three pairs: one won by a, one by b, one a tie."""
    project = labels.create_project("first", order="given")
    labels.add_items(project.id, [Pair(f"q{n}", f"a{n}", f"b{n}") for n in range(3)])
    for choice in ("a", "b", "tie"):
        shown = labels.next_item(project.id, "ada")
        assert shown is not None
        labels.vote(project.id, shown.item_id, "ada", choice)
    return project


@pytest.fixture
def tuned(store: RunStore):
    """A finished run."""
    made = store.create(Recipe.defaults(name="tuned"))
    return store.update(made.id, state="finished")


@pytest.fixture
def taught(store: RunStore, labels, voted):
    """Two runs; the second learned from the votes and has won a duel against the first."""
    first = store.create(Recipe.defaults(name="start"))
    second = store.create(Recipe.defaults("dpo", name="taught", start_from=first.id))
    votes = {"project": voted.id, "project_name": "first", "votes": 3, "people": 1}
    store.update(first.id, state="finished")
    store.update(second.id, state="finished", data={"votes": votes})
    duel = labels.create_project("duel", order="given")
    sides = {"label": "taught", "run": second.id}, {"label": "start", "run": first.id}
    labels.add_items(duel.id, [Pair("new", "better", "worse", *sides)])
    labels.vote(duel.id, labels.next_item(duel.id, "ada").item_id, "ada", "a")
    return first, second


@pytest.fixture
def answering(monkeypatch):
    """Models that answer at once: their label and the prompt, or the same where asked to agree."""

    def generate(self, request):
        generation = Generation(request)
        generation.begin()
        for column, model in enumerate(request.columns):
            for number, prompt in enumerate(request.prompts):
                text = prompt[-1]["content"]
                answer = "same" if "agree" in text else f"{model.label}: {text}"
                generation.put(column, number, text=answer, tokens=3, ended="stop")
        generation.end_part()
        return generation

    monkeypatch.setattr("studio.engine.studio.Studio.generate", generate)


@pytest.fixture
def judging(monkeypatch):
    """A judge model that always prefers the answer it is shown first."""

    def generate(self, request):
        generation = Generation(request)
        generation.begin()
        for at in range(len(request.prompts)):
            generation.put(0, at, text="A", ended="stop")
        generation.end_part()
        return generation

    monkeypatch.setattr("studio.engine.studio.Studio.generate", generate)


@pytest.fixture
def rows_file(tmp_path: Path) -> Path:
    """Four instruction rows, the last one empty."""
    rows = [
        {"instruction": f"Name a thing number {n}.", "input": "", "output": f"Thing {n}."}
        for n in range(3)
    ]
    rows.append({"instruction": "Say nothing.", "input": "", "output": ""})
    path = tmp_path / "rows.json"
    path.write_text(json.dumps(rows))
    return path
