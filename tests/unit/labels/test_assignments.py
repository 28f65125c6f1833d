"""Several people on one project: who gets what, how often, and for how long."""

from __future__ import annotations

import threading
import time
from collections import Counter

import pytest

from studio.core.errors import DataError
from studio.labels import LabelStore
from studio.labels.schema import assignments

DATABASES = ["sqlite", "postgresql"]


@pytest.fixture
def shared(store, make_items):
    """Builds a project in which items are shared out."""

    def make(count=6, overlap=1, **more):
        project = store.create_project("shared", order="given", seed=3, overlap=overlap, **more)
        store.add_items(project.id, make_items(count))
        return project

    return make


def judge_all(store, project, annotator, choice="a"):
    judged = []
    while (shown := store.next_item(project.id, annotator)) is not None:
        store.vote(project.id, shown.item_id, annotator, choice, turn=shown.turn)
        judged.append((shown.item_id, shown.turn))
    return judged


def stay_away(store, annotator):
    """Let the time run out that items are kept for somebody."""
    with store._db.writing() as db:
        mine = (assignments.c.annotator == annotator) & assignments.c.done.is_(False)
        db.execute(assignments.update().where(mine).values(leased_until=0.0))


def test_an_item_goes_to_as_many_people_as_its_overlap(store, shared):
    project = shared(6, overlap=2)
    for name in ("ada", "ben"):
        assert len(judge_all(store, project, name)) == 6
    assert store.next_item(project.id, "cleo") is None
    assert {len(item.votes) for item in store.labelled_pairs(project.id)} == {2}
    assert store.get(project.id).done == store.get(project.id).wanted == 12


def test_people_at_once_never_hold_the_same_item_and_a_reload_keeps_theirs(store, shared):
    project = shared(6)
    ada, ben = store.upcoming(project.id, "ada", 2), store.upcoming(project.id, "ben", 2)
    assert not {item.item_id for item in ada} & {item.item_id for item in ben}
    assert store.upcoming(project.id, "ada", 2) == ada
    store.vote(project.id, ada[0].item_id, "ada", "a")
    assert store.next_item(project.id, "ada") == ada[1], "what was announced comes next"


def test_many_at_once_leave_no_item_beyond_its_overlap_and_none_out(url, store, shared):
    project = shared(16, overlap=3)
    failures = []

    def work(name):
        own = LabelStore(url)
        try:
            judge_all(own, project, name)
        except Exception as error:
            failures.append(error)
        finally:
            own.close()

    threads = [threading.Thread(target=work, args=(f"person {n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert [len(item.votes) for item in store.labelled_pairs(project.id)] == [3] * 16
    assert store.get(project.id).done == 48


def test_what_an_idle_person_holds_comes_back_and_their_late_vote_is_refused(store, shared):
    project = shared(2)
    left = store.next_item(project.id, "ada")
    stay_away(store, "ada")
    assert len(judge_all(store, project, "ben")) == 2
    with pytest.raises(DataError, match="assigned to somebody else"):
        store.vote(project.id, left.item_id, "ada", "a")
    assert store.next_item(project.id, "ada") is None
    assert [len(item.votes) for item in store.labelled_pairs(project.id)] == [1, 1]


def test_a_clock_that_is_set_back_holds_nothing_for_days(store, shared, monkeypatch):
    project = shared(2)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 5 * 86400)
    store.next_item(project.id, "ada")
    monkeypatch.setattr(time, "time", lambda: now)
    assert len(judge_all(store, project, "ben")) == 2


def test_an_idle_persons_vote_counts_while_nobody_took_the_item(store, shared):
    project = shared(2)
    left = store.next_item(project.id, "ada")
    stay_away(store, "ada")
    store.vote(project.id, left.item_id, "ada", "a")
    assert store.progress(project.id, "ada").done == 1


def test_an_item_given_back_is_found_by_those_who_had_passed_it(store, shared):
    project = shared(4)
    first = store.next_item(project.id, "ada")
    for shown in store.upcoming(project.id, "ben", 3):
        store.vote(project.id, shown.item_id, "ben", "b")
    assert store.next_item(project.id, "ben") is None
    stay_away(store, "ada")
    assert store.next_item(project.id, "ben").item_id == first.item_id


def test_progress_counts_ones_own_and_everybodys(store, shared):
    project = shared(4, overlap=1)
    for _ in range(2):
        store.vote(project.id, store.next_item(project.id, "ada").item_id, "ada", "a")
    store.vote(project.id, store.next_item(project.id, "ben").item_id, "ben", "b")
    ada, ben = store.progress(project.id, "ada"), store.progress(project.id, "ben")
    assert (ada.done, ada.total, ada.together, ada.wanted) == (2, 3, 3, 4)
    assert (ben.done, ben.total) == (1, 2)
    store.undo(project.id, "ada")
    assert store.progress(project.id, "ben").together == 2


def test_an_undone_vote_stays_with_its_person(store, shared):
    project = shared(2)
    first = store.next_item(project.id, "ada")
    store.vote(project.id, first.item_id, "ada", "a")
    assert store.undo(project.id, "ada") == first
    assert store.next_item(project.id, "ada") == first
    assert first.item_id not in {item.item_id for item in store.upcoming(project.id, "ben", 9)}


def test_earlier_items_come_again_the_other_way_round_and_count_once(store, shared):
    project = shared(20, overlap=1, repeat_every=5)
    seen, orders = [], {}
    while (shown := store.next_item(project.id, "ada")) is not None:
        seen.append((shown.item_id, shown.turn))
        orders[seen[-1]] = shown.order
        store.vote(project.id, shown.item_id, "ada", "left", turn=shown.turn)
    turns = Counter(turn for _, turn in seen)
    assert turns == {0: 20, 1: 4}
    for item_id, turn in seen:
        assert not turn or orders[item_id, 0] != orders[item_id, 1]
    assert store.progress(project.id, "ada").done == 20
    assert all(len(item.votes) == 1 for item in store.labelled_pairs(project.id))
    assert len(store.repeat_votes(project.id)) == 4
    with pytest.raises(DataError, match="not due for a repeat"):
        store.vote(project.id, seen[0][0], "ben", "a", turn=1)
