"""The statements behind every vote, on a small project."""

from __future__ import annotations

from studio.labels import queries


def unseen(store, project, annotator, cursor=0):
    asked = {"project": project.id, "person": annotator, "cursor": cursor, "count": 10}
    with store.reading() as db:
        return [row.position for row in db.execute(queries.UNSEEN, asked)]


def test_unseen_items_start_at_the_cursor_without_those_seen_or_removed(store, project):
    ids = [item.item_id for item in store.labelled_pairs(project.id)]
    assert unseen(store, project, "ada") == [0, 1, 2, 3]
    store.vote(project.id, ids[1], "ada", "a")
    store.retire(project.id, ids[2])
    assert unseen(store, project, "ada") == [0, 3]
    assert unseen(store, project, "ada", cursor=1) == [3]
    assert unseen(store, project, "ben") == [0, 1, 3]


def test_what_was_undone_is_held_again(store, project):
    item = store.next_item(project.id, "ada").item_id
    store.vote(project.id, item, "ada", "a")
    asked = {"project": project.id, "person": "ada", "count": 10}
    with store.reading() as db:
        assert db.execute(queries.HELD, asked).all() == []
    store.undo(project.id, "ada")
    with store.reading() as db:
        assert [row.id for row in db.execute(queries.HELD, asked)] == [item]
