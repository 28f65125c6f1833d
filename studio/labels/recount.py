"""Recomputes what is derived from items and votes: current votes, positions, counters.

Used where votes were imported in bulk (published ones, a restored backup).
"""

from __future__ import annotations

import sqlalchemy as sa

from studio.labels.schema import annotators, assignments, items, projects, votes


def rebuild(db: sa.Connection, project_id: str) -> None:
    """Derive a project's assignments, annotators and counters; nothing is held afterwards.

    Every cursor restarts at 0, where its invariant always holds.
    """
    for table in (assignments, annotators):
        db.execute(table.delete().where(table.c.project_id == project_id))
    newest = (
        sa.select(sa.func.max(votes.c.id))
        .where(votes.c.project_id == project_id)
        .group_by(votes.c.item_id, votes.c.annotator, votes.c.turn)
    )
    current = (
        sa.select(
            votes.c.item_id,
            votes.c.annotator,
            votes.c.turn,
            votes.c.project_id,
            items.c.position,
            votes.c.choice.is_not(None),
            votes.c.id,
            votes.c.created,
        )
        .join(items, items.c.id == votes.c.item_id)
        .where(votes.c.id.in_(newest), items.c.retired.is_(False))
    )
    named = ["item_id", "annotator", "turn", "project_id", "position", "done", "vote_id", "claimed"]
    db.execute(assignments.insert().from_select(named, current))
    _count(db, project_id)


def _count(db: sa.Connection, project_id: str) -> None:
    first = sa.and_(assignments.c.project_id == project_id, assignments.c.turn == 0)
    done = sa.func.sum(sa.case((assignments.c.done, 1), else_=0))
    people = sa.select(
        assignments.c.project_id, assignments.c.annotator, sa.literal(0), done
    ).where(assignments.c.project_id == project_id, assignments.c.turn == 0)
    people = people.group_by(assignments.c.project_id, assignments.c.annotator)
    db.execute(
        annotators.insert().from_select(["project_id", "annotator", "cursor", "done"], people)
    )
    overlap = db.scalar(sa.select(projects.c.overlap).where(projects.c.id == project_id)) or 0
    taken = (
        sa.select(sa.func.count())
        .where(assignments.c.item_id == items.c.id, assignments.c.turn == 0)
        .scalar_subquery()
    )
    mine = items.c.project_id == project_id
    db.execute(items.update().where(mine).values(taken=taken))
    still = items.c.retired.is_(False)
    if overlap:
        still = sa.and_(still, items.c.taken < overlap)
    db.execute(items.update().where(mine).values(open=still))
    there = sa.select(sa.func.count()).where(mine, items.c.retired.is_(False))
    judged = sa.select(sa.func.count()).where(first, assignments.c.done)
    counts = {"items": there.scalar_subquery(), "done": judged.scalar_subquery()}
    db.execute(projects.update().where(projects.c.id == project_id).values(**counts))
