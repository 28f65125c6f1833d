"""The owner's figures, against hand counts on a small project."""

from __future__ import annotations

import pytest

from studio.labels.annotator_report import report


def test_agreement_biases_and_people_are_counted_as_by_hand(store, make_items):
    project = store.create_project("counted", order="given", seed=2)
    store.add_items(project.id, make_items(4))  # the tuned answer, b, is the longer one
    ids = [item.item_id for item in store.upcoming(project.id, "ada", 4)]
    for name, choices, seconds in (("ada", "abbt", 8.0), ("ben", "aabs", 1.0)):
        for item_id, choice in zip(ids, choices, strict=True):
            full = {"t": "tie", "s": "skip"}.get(choice, choice)
            store.vote(
                project.id,
                item_id,
                name,
                full,
                seconds=seconds,
                shown_order="ab" if name == "ada" else "ba",
            )
    found = report(list(store.labelled_pairs(project.id)), [])
    agreement = found["agreement"]
    assert (agreement["unanimous"], agreement["shared"]) == (2, 3)
    assert agreement["raw"] == pytest.approx(2 / 3)
    assert agreement["alpha"] == pytest.approx(1 - (1 / 3) / (3 / 5))  # seen / by chance
    # decided votes: ada a b b shown ab, ben a a b shown ba; the left was taken by a/ab and b/ba
    assert (found["left"]["share"], found["left"]["count"]) == (pytest.approx(2 / 6), 6)
    assert (found["longer"]["share"], found["longer"]["count"]) == (pytest.approx(3 / 6), 6)
    rows = {row["name"]: row for row in found["people"]}
    assert rows["ben"]["hasty"] and not rows["ada"]["hasty"]
    assert rows["ben"]["skipped"] == 1 and rows["ada"]["with_others"] == pytest.approx(2 / 3)
    assert [brief["item"] for brief in found["disagreements"]] == [ids[1]]
    assert found["self_agreement"] == {"share": None, "count": 0}


def test_an_unjudged_project_has_figures_of_nothing(store, project):
    found = report(list(store.labelled_pairs(project.id)), [])
    assert found["agreement"]["alpha"] is None and found["people"] == []
    assert found["left"]["share"] is None
