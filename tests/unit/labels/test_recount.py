"""Counters and current votes derived anew from the votes alone."""

from __future__ import annotations

import sqlalchemy as sa

from studio.labels.recount import rebuild
from studio.labels.schema import annotators, assignments, projects


def test_what_is_derived_from_votes_can_be_derived_again(store, project):
    first = store.next_item(project.id, "ada").item_id
    store.vote(project.id, first, "ada", "a")
    store.vote(project.id, first, "ada", "b")
    store.vote(project.id, first, "ben", "a")
    store.undo(project.id, "ben")
    before = list(store.labelled_pairs(project.id)), store.get(project.id)
    with store.writing() as db:
        db.execute(assignments.delete())
        db.execute(annotators.delete())
        db.execute(projects.update().values(done=99))
        rebuild(db, project.id)
    assert (list(store.labelled_pairs(project.id)), store.get(project.id)) == before
    assert store.next_item(project.id, "ada").item_id == first + 1
    with store.reading() as db:
        assert db.scalar(sa.select(annotators.c.done).where(annotators.c.annotator == "ada")) == 1
