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
    # decided votes: ada a b b shown ab, ben a a b shown ba; the left was taken by a/ab and b/ba:
    # once of two on the first and third pair, never on the second
    assert (found["left"]["share"], found["left"]["count"]) == (pytest.approx(1 / 3), 3)
    assert (found["longer"]["share"], found["longer"]["count"]) == (pytest.approx(3 / 6), 3)
    assert found["left"]["votes"] == found["longer"]["votes"] == 6
    rows = {row["name"]: row for row in found["people"]}
    assert rows["ben"]["hasty"] and not rows["ada"]["hasty"]
    assert rows["ben"]["skipped"] == 1 and rows["ada"]["with_others"] == pytest.approx(2 / 3)
    assert [brief["item"] for brief in found["disagreements"]] == [ids[1]]
    assert found["self_agreement"] == {"share": None, "count": 0}


def test_more_votes_on_the_same_pairs_narrow_no_bias(store, make_items):
    found = []
    for people in (["ada"], [f"rater {number}" for number in range(6)]):
        project = store.create_project(f"by {len(people)}", order="given", overlap=len(people))
        store.add_items(project.id, make_items(5))
        for number, item_id in enumerate(
            [item.item_id for item in store.upcoming(project.id, people[0], 5)]
        ):
            for name in people:
                choice = "a" if number < 4 else "b"
                store.vote(project.id, item_id, name, choice, shown_order="ab")
        found.append(report(list(store.labelled_pairs(project.id)), []))
    once, often = found
    for figure in ("left", "longer"):
        assert once[figure] == {**often[figure], "votes": 5} and often[figure]["votes"] == 30
    assert once["left"]["count"] == 5 and once["left"]["p_value"] > 0.3


def test_an_unjudged_project_has_figures_of_nothing(store, project):
    found = report(list(store.labelled_pairs(project.id)), [])
    assert found["agreement"]["alpha"] is None and found["people"] == []
    assert found["left"]["share"] is None
