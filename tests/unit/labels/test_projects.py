"""Projects and their items: names, order, guidelines, removed items."""

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


def test_project_is_found_by_id_and_name_and_names_are_free_only_once(store, project):
    assert store.get(project.id).items == 4
    assert store.get("first answers").id == project.id
    with pytest.raises(DataError, match="exists already"):
        store.create_project("first answers")
    assert store.free_name("first answers") == "first answers 2"
    with pytest.raises(DataError, match='Did you mean "first answers"'):
        store.get("first answer")
    assert [p.name for p in store.projects()] == ["first answers"]


def test_random_order_depends_on_the_seed_alone(url, store, make_items):
    def order_of(name, seed):
        project = store.create_project(name, seed=seed)
        store.add_items(project.id, make_items(20))
        return [item.prompt[0]["content"] for item in store.upcoming(project.id, "ada", 20)]

    given = [f"question {n}" for n in range(20)]
    first, second, other = order_of("x", 5), order_of("y", 5), order_of("z", 6)
    assert sorted(first) == sorted(given)
    assert first == second != other != given


def test_items_added_later_come_after_and_duplicates_stay_out(store, project, make_items):
    vote_all(store, project, "ada")
    swapped = Pair("question 1", "tuned answer 1", "base  answer 1")
    added = store.add_items(project.id, [*make_items(3, start=3), swapped, Pair("q", "x", " x ")])
    assert added.added == 2 and added.set_aside == {"duplicate": 2, "identical": 1}
    assert store.progress(project.id, "ada").left == 2
    assert len(vote_all(store, project, "ada")) == 2


def test_guidelines_revised_are_named_in_later_votes(store, project):
    vote_all(store, project, "ada")
    assert store.revise_guidelines(project.id, "short is good").guideline_version == 2
    shown = store.next_item(project.id, "ben")
    store.vote(project.id, shown.item_id, "ben", "a")
    assert store.history(project.id, "ada")[0].guideline_version == 1
    assert store.history(project.id, "ben")[0].guideline_version == 2


def test_a_retired_item_is_asked_of_nobody_and_counts_nowhere(store, shared):
    project = shared(3, overlap=2)
    first = store.next_item(project.id, "ada")
    store.vote(project.id, first.item_id, "ada", "broken")
    assert [item.item_id for item in store.flagged(project.id)] == [first.item_id]
    store.retire(project.id, first.item_id)
    with pytest.raises(DataError, match="not in this project any more"):
        store.vote(project.id, first.item_id, "ben", "a")
    assert len(judge_all(store, project, "ben")) == 2
    assert store.progress(project.id, "ada").done == 0
    assert (store.get(project.id).items, store.get(project.id).done) == (2, 2)
    assert store.undo(project.id, "ada") is None
    assert len(store.versions(project.id, first.item_id)) == 1, "the record keeps it"


def test_most_informative_comes_first_with_every_fourth_by_chance(store):
    project = store.create_project("uncertain", order="uncertain", seed=1)
    margins = [float(n) for n in range(20)]
    store.add_items(
        project.id,
        [Pair(f"q{n}", "one", "two", provenance={"margin": -m}) for n, m in enumerate(margins)],
    )
    judged = list(store.labelled_pairs(project.id))
    assert [item.sampled for item in judged] == [n % 4 == 0 for n in range(20)]
    rest = [int(item.prompt[0]["content"][1:]) for item in judged if not item.sampled]
    assert rest == sorted(rest)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"overlap": -1}, "Annotators per item must be"),
        ({"repeat_every": 1.5}, "Repeat every N must be"),
        ({"order": "best"}, "Order must be"),
        ({"reasons": ["x" * 41]}, "reasons are at most"),
    ],
)
def test_what_cannot_be_a_project_is_refused_in_a_sentence(store, change, message):
    with pytest.raises(DataError, match=message):
        store.create_project("strange", **change)
