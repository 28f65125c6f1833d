"""Recording and undoing votes: versions, retries, what is refused."""

from __future__ import annotations

import pytest

from studio.core.errors import DataError
from studio.labels import Pair

DATABASES = ["sqlite", "postgresql"]


def vote_all(store, project, annotator, choice="a", **more):
    receipts = []
    while (shown := store.next_item(project.id, annotator)) is not None:
        receipts.append(store.vote(project.id, shown.item_id, annotator, choice, **more))
    return receipts


def test_choice_by_side_is_stored_by_answer_with_the_order_shown(store, project):
    for _ in range(4):
        shown = store.next_item(project.id, "ada")
        receipt = store.vote(project.id, shown.item_id, "ada", "left")
        assert receipt.choice == ("a" if shown.order == "ab" else "b")
    assert {vote.order for vote in store.history(project.id, "ada")} <= {"ab", "ba"}
    shown = store.next_item(project.id, "ben")
    assert store.vote(project.id, shown.item_id, "ben", "right", shown_order="ba").choice == "a"


def test_a_retried_submission_is_one_vote(store, project):
    shown = store.next_item(project.id, "ada")
    first = store.vote(project.id, shown.item_id, "ada", "a", idempotency_key="k1")
    again = store.vote(project.id, shown.item_id, "ada", "b", idempotency_key="k1")
    assert again.repeated and (again.vote_id, again.choice) == (first.vote_id, "a")
    assert store.progress(project.id, "ada").done == 1
    assert len(store.versions(project.id, shown.item_id)) == 1


def test_another_persons_key_is_their_own(store, project):
    shown = store.next_item(project.id, "ada")
    store.vote(project.id, shown.item_id, "ada", "a", idempotency_key="same")
    receipt = store.vote(project.id, shown.item_id, "ben", "b", idempotency_key="same")
    assert not receipt.repeated
    assert store.progress(project.id, "ben").done == 1


def test_undo_reopens_the_item_as_a_new_version(store, project):
    first = store.next_item(project.id, "ada")
    store.vote(project.id, first.item_id, "ada", "a")
    second = store.next_item(project.id, "ada")
    store.vote(project.id, second.item_id, "ada", "b")
    assert store.undo(project.id, "ada", "u1") == second
    assert store.undo(project.id, "ada", "u1") == second, "a retried undo takes back nothing more"
    assert store.next_item(project.id, "ada") == second
    assert store.undo(project.id, "ada") == first
    assert store.undo(project.id, "ada") is None
    assert [item.item_id for item in store.upcoming(project.id, "ada", 3)][:2] == [
        first.item_id,
        second.item_id,
    ]
    assert store.progress(project.id, "ada").done == 0
    record = store.versions(project.id, first.item_id)
    assert [(row["version"], row["action"], row["choice"]) for row in record] == [
        (1, "vote", "a"),
        (2, "undo", None),
    ]
    assert len(vote_all(store, project, "ada")) == 4


def test_changing_a_vote_keeps_both_and_undo_restores_the_earlier_one(store, project):
    shown = store.next_item(project.id, "ada")
    store.vote(project.id, shown.item_id, "ada", "a", note="first thought")
    store.vote(project.id, shown.item_id, "ada", "b")
    (current,) = store.history(project.id, "ada")
    assert (current.choice, current.version) == ("b", 2)
    store.undo(project.id, "ada")
    (current,) = store.history(project.id, "ada")
    assert (current.choice, current.note, current.version) == ("a", "first thought", 3)
    assert store.progress(project.id, "ada").done == 1
    store.undo(project.id, "ada")
    assert store.history(project.id, "ada") == []
    assert store.next_item(project.id, "ada") == shown
    assert len(store.versions(project.id, shown.item_id)) == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"choice": "c"}, "none of them"),
        ({"strength": 5}, "Strength goes from 1"),
        ({"strength": True}, "Strength goes from 1"),
        ({"annotator": "  "}, "Enter your name"),
        ({"annotator": "a\nb"}, "Enter your name"),
        ({"annotator": "x" * 81}, "Enter your name"),
        ({"seconds": "3"}, "number of seconds"),
        ({"note": "x" * 5000}, "The note has 5,000"),
        ({"choice": "tie", "edited": "better"}, "needs a preferred side"),
        ({"idempotency_key": ""}, "key must be text"),
        ({"shown_order": "xy"}, "ab or ba"),
        ({"item_id": 999}, "not in this project any more"),
        ({"project_id": "labels-0"}, "no labeling project"),
    ],
)
def test_what_cannot_be_a_vote_is_refused_in_a_sentence(store, project, change, message):
    shown = store.next_item(project.id, "ada")
    call = {"project_id": project.id, "item_id": shown.item_id, "annotator": "ada", "choice": "a"}
    with pytest.raises(DataError, match=message):
        store.vote(**(call | change))
    assert store.progress(project.id, "ada").done == 0


def test_odd_text_is_kept_storable(store):
    project = store.create_project("odd \0 name")
    store.add_items(project.id, [Pair("nul \0 and \ud800", "<b>a</b>", "b́ {{b}} ${b}")])
    shown = store.next_item(project.id, "Zoë")
    assert {shown.left, shown.right} == {"<b>a</b>", "b́ {{b}} ${b}"}
    store.vote(project.id, shown.item_id, "Zoë", "a", edited="it \0 goes", note="\udfff")
    assert store.history(project.id, "Zoë")[0].edited == "it \ufffd goes"


def test_reasons_and_aspects_are_the_projects_own(store, make_items):
    project = store.create_project("why", reasons=["too long", "wrong"], aspects=["honest"])
    store.add_items(project.id, make_items(2))
    shown = store.next_item(project.id, "ada")
    with pytest.raises(DataError, match="does not ask about 'rude'"):
        store.vote(project.id, shown.item_id, "ada", "a", reasons=["rude"])
    store.vote(
        project.id, shown.item_id, "ada", "left", reasons=["wrong"], aspects={"honest": "right"}
    )
    (vote,) = store.history(project.id, "ada")
    assert vote.reasons == ["wrong"]
    assert vote.aspects == {"honest": "b" if vote.choice == "a" else "a"}
