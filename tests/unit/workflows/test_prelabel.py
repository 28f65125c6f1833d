"""Judges label what they are sure of; people check the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from studio import Commands, Studio
from studio.core.errors import ConfigError
from studio.labels import Pair
from studio.workflows import judge_pairs

PAIRS, VOTED = 60, 30


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    return Studio(tmp_path / "home")


@pytest.fixture
def do(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> Commands:
    """Of 60 pairs the good answer is on the left or right in turn; people voted on 30."""
    project = studio.labels.create_project("taste")
    pairs = []
    for n in range(PAIRS):
        sides = [f"good {n}", f"bad {n}"]
        pairs.append(Pair(f"Which {n}?", *(sides if n % 2 else reversed(sides))))
    studio.labels.add_items(project.id, pairs)
    for _ in range(VOTED):
        item = studio.labels.next_item(project.id, "ann")
        assert item is not None
        better = "left" if item.left.startswith("good") else "right"
        choice = {"ab": {"left": "a", "right": "b"}, "ba": {"left": "b", "right": "a"}}
        studio.labels.vote(project.id, item.item_id, "ann", choice[item.order][better], 2)

    def ask(_: Any, pairs: Any, column: Any, *rest: Any) -> dict[str, Any]:
        sides = ["a" if pair.a.startswith("good") else "b" for pair in pairs]
        if column.model == "contrary":
            sides = ["b" if side == "a" else "a" for side in sides]
        if column.model == "doubtful":
            sides = [None if at % 5 == 0 else side for at, side in enumerate(sides)]
        return {"verdicts": sides}

    monkeypatch.setattr(judge_pairs, "ask", ask)
    return Commands(studio)


def test_the_sure_pairs_are_labeled_and_the_others_go_to_people(do: Commands, studio: Studio):
    found = do.labels_prelabel(project="taste", judge=["base:right", "base:doubtful"])
    assert (found["pairs"], found["accepted"], found["unsure"]["pairs"]) == (30, 20, 10)
    made = studio.datasets.get(found["dataset"]["id"])
    rows = made.head(20, "train")
    assert all(row["chosen"][0]["content"].startswith("good") for row in rows)
    assert made.provenance["judges"] == ["base:right", "base:doubtful"]
    check = studio.labels.get(found["unsure"]["project"])
    assert (check.items, check.overlap) == (10, 1)
    assert all(not item.votes for item in studio.labels.labelled_pairs(check.id))


def test_a_judge_that_people_contradict_labels_nothing(do: Commands):
    with pytest.raises(ConfigError, match="base:contrary may not label taste"):
        do.labels_prelabel(project="taste", judge=["base:contrary"])
    panel = do.labels_panel(project="taste", judge=["base:right", "base:contrary"])
    assert [one["may_label"] for one in panel["each"]] == [True, False]
    assert panel["judges"]["value"] < 0 and panel["pairs"] == PAIRS
