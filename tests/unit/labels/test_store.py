from __future__ import annotations

import threading
import time

from studio.labels import LabelStore

DATABASES = ["sqlite", "postgresql"]


def vote_all(store, project, annotator, choice="a", **more):
    receipts = []
    while (shown := store.next_item(project.id, annotator)) is not None:
        receipts.append(store.vote(project.id, shown.item_id, annotator, choice, **more))
    return receipts


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


def test_two_people_do_not_disturb_each_other(store, project):
    assert len(vote_all(store, project, "ada", "a")) == 4
    assert store.next_item(project.id, "ada") is None
    assert store.progress(project.id, "ben").done == 0
    vote_all(store, project, "ben", "b")
    store.undo(project.id, "ben")
    assert store.progress(project.id, "ada").done == 4
    assert store.progress(project.id, "ben").done == 3
    assert {len(item.votes) for item in store.labelled_pairs(project.id)} == {1, 2}
    other = store.create_project("nobody voted here")
    assert store.annotators() == {project.id: ["ada", "ben"]} and other.id


def test_items_voted_out_of_order_are_not_asked_again(store, project):
    third = store.upcoming(project.id, "ada", 4)[2]
    store.vote(project.id, third.item_id, "ada", "tie")
    left = [item.item_id for item in store.upcoming(project.id, "ada", 9)]
    assert third.item_id not in left and len(left) == 3
    assert len(vote_all(store, project, "ada")) == 3
    assert store.progress(project.id, "ada").left == 0


def test_progress_counts_paces_and_times(store, project):
    before = time.time()
    for seconds in (2, 4, 60):
        shown = store.next_item(project.id, "ada")
        store.vote(project.id, shown.item_id, "ada", "a", seconds=seconds)
    progress = store.progress(project.id, "ada")
    assert (progress.done, progress.total, progress.today, progress.left) == (3, 4, 3, 1)
    assert progress.seconds_each == 4
    assert progress.saved_at is not None and progress.saved_at >= before


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
