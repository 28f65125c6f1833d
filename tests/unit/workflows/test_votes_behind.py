"""Whose votes stand behind rows: named once a project has ended, numbered while it goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from components.ui import traced_rows
from studio import Studio
from studio.labels import Pair
from studio.workflows import votes_behind
from studio.workflows.rounds import votes_dataset

SIDES = {"ab": {"a": "left", "b": "right"}, "ba": {"a": "right", "b": "left"}}


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    return Studio(tmp_path / "home")


def vote(studio: Studio, project: str, who: str, choices: str) -> None:
    """One vote a letter, on the answers as they are stored."""
    for choice in choices:
        item = studio.labels.next_item(project, who)
        assert item is not None
        studio.labels.vote(project, item.item_id, who, SIDES[item.order][choice])


@pytest.fixture
def project(studio: Studio) -> str:
    """Three pairs; ada has judged all of them, bob two, against her on the first."""
    made = studio.labels.create_project("taste", order="given")
    pairs = [Pair(f"Which {n}?", f"good {n}", f"bad {n}") for n in range(3)]
    studio.labels.add_items(made.id, pairs)
    vote(studio, made.id, "ada", "aab")
    vote(studio, made.id, "cleo", "aab")
    vote(studio, made.id, "bob", "ba")
    return made.id


def report(studio: Studio, project: str) -> dict[str, Any]:
    """What `why` would have found: the first row for it, the last against."""
    made = votes_dataset(studio, project)
    rows = []
    for at, row in enumerate(made.head(3)):
        texts = {"answer": row["chosen"][0]["content"], "rejected": row["rejected"][0]["content"]}
        votes = {key: row[key] for key in ("item", "voters", "agreement")}
        place = {"dataset": made.name, "dataset_id": made.id, "row": at, "prompt": "Which?"}
        rows.append({**place, **texts, "votes": votes, "score": 0.5, "stands_out": True})
    lists = {"for": rows[:1], "against": rows[2:], "datasets": [], "said": "", "parent": False}
    return {"run": "run-1", "learned": [{**lists, "name": "second", "standing_out": 2}]}


def test_people_are_numbered_while_somebody_may_still_vote(studio: Studio, project: str):
    (entry,) = votes_behind.named(studio, report(studio, project))["learned"]
    votes = entry["for"][0]["votes"]
    assert votes["blind"] and votes["project"] == "taste"
    assert {one["who"] for one in votes["people"]} == {f"annotator {n}" for n in (1, 2, 3)}
    assert sorted(one["for"] for one in votes["people"]) == [False, True, True]
    markup = traced_rows.learned({**entry, "rows": 3})
    assert "ada" not in markup and "numbered while" in markup


def test_people_are_named_once_all_have_voted(studio: Studio, project: str):
    vote(studio, project, "bob", "a")
    (entry,) = votes_behind.named(studio, report(studio, project))["learned"]
    people = entry["for"][0]["votes"]["people"]
    assert {one["who"]: one["for"] for one in people} == {"ada": True, "bob": False, "cleo": True}
    assert entry["votes"]["projects"] == [
        {"project": "taste", "blind": False, "rows_for": 1, "rows_against": 1}
    ]
    assert {
        one["who"]: (one["rows_for"], one["rows_against"]) for one in entry["votes"]["people"]
    } == {"ada": (1, 1), "cleo": (1, 1)}
    markup = traced_rows.learned({**entry, "rows": 3})
    assert "by ada and cleo in taste" in markup and "numbered" not in markup


def test_votes_of_a_deleted_project_are_rows_as_any_other(studio: Studio, project: str):
    found = report(studio, project)
    gone = found["learned"][0]["for"][0]["votes"] | {"item": 999}
    found["learned"][0]["for"][0]["votes"] = gone
    (entry,) = votes_behind.named(studio, found)["learned"]
    assert entry["for"][0]["votes"] == gone


def test_an_edited_answer_still_has_a_side(studio: Studio, project: str):
    item = next(iter(studio.labels.labelled_pairs(project)))
    assert votes_behind.side({"answer": "better still", "rejected": "bad 0"}, item) == "a"
    assert votes_behind.side({"answer": "bad 0"}, item) == "b"
    assert votes_behind.side({"answer": "else"}, item) is None
