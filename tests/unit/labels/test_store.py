from __future__ import annotations

import threading
import time

import pytest

from studio.core.errors import DataError
from studio.labels import LabelStore, Pair

DATABASES = ["sqlite", "postgresql"]


def vote_all(store, project, annotator, choice="a", **more):
    receipts = []
    while (shown := store.next_item(project.id, annotator)) is not None:
        receipts.append(store.vote(project.id, shown.item_id, annotator, choice, **more))
    return receipts


def test_project_is_found_by_id_and_name_and_names_are_free_only_once(store, project):
    assert store.get(project.id).items == 4
    assert store.get("first answers").id == project.id
    with pytest.raises(DataError, match="exists already"):
        store.create_project("first answers")
    assert store.free_name("first answers") == "first answers 2"
    with pytest.raises(DataError, match='Did you mean "first answers"'):
        store.get("first answer")
    assert [p.name for p in store.projects()] == ["first answers"]


def test_everything_is_still_there_in_a_new_store(url, store, project):
    shown = store.next_item(project.id, "ada")
    store.vote(project.id, shown.item_id, "ada", "left", 4, note="kinder", seconds=3.5)
    again = LabelStore(url)
    (vote,) = again.history(project.id, "ada")
    assert (vote.strength, vote.note, vote.seconds, vote.order) == (4, "kinder", 3.5, shown.order)
    assert again.next_item(project.id, "ada") != shown
    again.close()


def test_reload_returns_to_the_same_item_and_shows_the_same_sides(store, project):
    first = store.next_item(project.id, "ada")
    assert store.next_item(project.id, "ada") == first
    assert store.upcoming(project.id, "ada", 2)[0] == first
    assert store.show(project.id, first.item_id, "ada") == first
    assert {first.left, first.right} == {"base answer 0", "tuned answer 0"}


def test_sides_are_shuffled_by_person_and_item_about_evenly(store, make_items):
    project = store.create_project("many", order="given", seed=1)
    store.add_items(project.id, make_items(200))
    orders = {
        name: [item.order for item in store.upcoming(project.id, name, 200)]
        for name in ("ada", "ben")
    }
    assert orders["ada"] != orders["ben"]
    for order in orders.values():
        assert 75 <= order.count("ab") <= 125


def test_random_order_depends_on_the_seed_alone(url, store, make_items):
    def order_of(name, seed):
        project = store.create_project(name, seed=seed)
        store.add_items(project.id, make_items(20))
        return [item.prompt[0]["content"] for item in store.upcoming(project.id, "ada", 20)]

    given = [f"question {n}" for n in range(20)]
    first, second, other = order_of("x", 5), order_of("y", 5), order_of("z", 6)
    assert sorted(first) == sorted(given)
    assert first == second != other != given


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


def test_two_people_do_not_disturb_each_other(store, project):
    assert len(vote_all(store, project, "ada", "a")) == 4
    assert store.next_item(project.id, "ada") is None
    assert store.progress(project.id, "ben").done == 0
    vote_all(store, project, "ben", "b")
    store.undo(project.id, "ben")
    assert store.progress(project.id, "ada").done == 4
    assert store.progress(project.id, "ben").done == 3
    assert {len(item.votes) for item in store.labelled_pairs(project.id)} == {1, 2}


def test_items_voted_out_of_order_are_not_asked_again(store, project):
    third = store.upcoming(project.id, "ada", 4)[2]
    store.vote(project.id, third.item_id, "ada", "tie")
    left = [item.item_id for item in store.upcoming(project.id, "ada", 9)]
    assert third.item_id not in left and len(left) == 3
    assert len(vote_all(store, project, "ada")) == 3
    assert store.progress(project.id, "ada").left == 0


def test_items_added_later_come_after_and_duplicates_stay_out(store, project, make_items):
    vote_all(store, project, "ada")
    swapped = Pair("question 1", "tuned answer 1", "base  answer 1")
    added = store.add_items(project.id, [*make_items(3, start=3), swapped, Pair("q", "x", " x ")])
    assert added.added == 2 and added.set_aside == {"duplicate": 2, "identical": 1}
    assert store.progress(project.id, "ada").left == 2
    assert len(vote_all(store, project, "ada")) == 2


def test_progress_counts_paces_and_times(store, project):
    before = time.time()
    for seconds in (2, 4, 60):
        shown = store.next_item(project.id, "ada")
        store.vote(project.id, shown.item_id, "ada", "a", seconds=seconds)
    progress = store.progress(project.id, "ada")
    assert (progress.done, progress.total, progress.today, progress.left) == (3, 4, 3, 1)
    assert progress.seconds_each == 4
    assert progress.saved_at is not None and progress.saved_at >= before


def test_guidelines_revised_are_named_in_later_votes(store, project):
    vote_all(store, project, "ada")
    assert store.revise_guidelines(project.id, "short is good").guideline_version == 2
    shown = store.next_item(project.id, "ben")
    store.vote(project.id, shown.item_id, "ben", "a")
    assert store.history(project.id, "ada")[0].guideline_version == 1
    assert store.history(project.id, "ben")[0].guideline_version == 2


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
        ({"choice": "tie", "edited": "better"}, "belongs to a better answer"),
        ({"idempotency_key": ""}, "key must be text"),
        ({"shown_order": "xy"}, "ab or ba"),
        ({"item_id": 999}, "not in this project any more"),
        ({"project_id": "labels-0"}, "no labelling project"),
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


def test_concurrent_votes_lose_and_double_nothing(store, make_items):
    project = store.create_project("busy")
    store.add_items(project.id, make_items(25))
    failures = []

    def label(annotator):
        try:
            for _ in range(25):
                shown = store.next_item(project.id, annotator)
                key = f"{annotator}-{shown.item_id}"
                store.vote(project.id, shown.item_id, annotator, "a", idempotency_key=key)
                store.vote(project.id, shown.item_id, annotator, "a", idempotency_key=key)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=label, args=(f"person {n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert all(len(item.votes) == 6 for item in store.labelled_pairs(project.id))
    assert store.progress(project.id, "person 3").done == 25


def test_one_person_in_two_browsers_submits_the_same_vote_at_once(store, project):
    shown = store.next_item(project.id, "ada")
    receipts = []

    def submit():
        receipts.append(store.vote(project.id, shown.item_id, "ada", "a", idempotency_key="double"))

    threads = [threading.Thread(target=submit) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({receipt.vote_id for receipt in receipts}) == 1
    assert sum(not receipt.repeated for receipt in receipts) == 1
