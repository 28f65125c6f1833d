"""The statements that every vote runs, built once: building one takes longer than running it.

Parameters: `project`, `person`, `item`, `at_turn`, and those named in a statement's comment.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from studio.labels.schema import annotators, assignments, items, projects, votes

_PACE_OF = 30  # votes; the newest ones that say how fast a person is now

_project: sa.BindParameter[Any] = sa.bindparam("project")
_person: sa.BindParameter[Any] = sa.bindparam("person")
_item: sa.BindParameter[Any] = sa.bindparam("item")
_turn: sa.BindParameter[Any] = sa.bindparam("at_turn")
_count = sa.bindparam("count", type_=sa.Integer)

# What is needed of an item to show it and to hand it out.
_FACE = (
    items.c.id,
    items.c.project_id,
    items.c.position,
    items.c.prompt,
    items.c.answer_a,
    items.c.answer_b,
    items.c.source_a,
    items.c.source_b,
    items.c.open,
    items.c.taken,
)


def _whose(table: sa.Table) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.project_id == _project, table.c.annotator == _person)


PROJECT = sa.select(projects).where(projects.c.id == _project)
#: The project, locked against other writers until the transaction ends (SQLite always is).
PROJECT_LOCKED = PROJECT.with_for_update()

ITEM: sa.Executable = sa.select(items).where(
    items.c.id == _item, items.c.project_id == _project, items.c.retired.is_(False)
)

PERSON: sa.Executable = sa.select(annotators).where(_whose(annotators))

#: The vote that was submitted under `key`.
SUBMITTED: sa.Executable = sa.select(votes).where(
    _whose(votes), votes.c.idempotency_key == sa.bindparam("key")
)

_this_hold = sa.and_(
    assignments.c.item_id == _item, assignments.c.annotator == _person, assignments.c.turn == _turn
)
#: An item, this person's hold on it (`claimed` is null where there is none), their newest version.
PLACE: sa.Executable = (
    sa.select(
        items.c.id,
        items.c.position,
        items.c.open,
        items.c.taken,
        assignments.c.claimed,
        assignments.c.done,
        assignments.c.vote_id,
        sa.select(sa.func.coalesce(sa.func.max(votes.c.version), 0))
        .where(votes.c.item_id == _item, votes.c.annotator == _person)
        .scalar_subquery()
        .label("version"),
    )
    .join_from(items, assignments, _this_hold, isouter=True)
    .where(items.c.id == _item, items.c.project_id == _project, items.c.retired.is_(False))
)

#: Items held for or reopened by this person: reopened ones first, then as they were handed.
HELD: sa.Executable = (
    sa.select(*_FACE, assignments.c.turn)
    .join(assignments, assignments.c.item_id == items.c.id)
    .where(_whose(assignments), assignments.c.done.is_(False))
    .order_by(assignments.c.vote_id.is_(None), assignments.c.claimed, assignments.c.position)
    .limit(_count)
)

_seen = sa.exists().where(
    assignments.c.item_id == items.c.id, assignments.c.annotator == _person, assignments.c.turn == 0
)
#: Open items from position `cursor` on that this person has not seen.
UNSEEN: sa.Executable = (
    sa.select(*_FACE, sa.literal(0).label("turn"))
    .where(items.c.project_id == _project, items.c.open.is_(True), ~_seen)
    .where(items.c.position >= sa.bindparam("cursor"))
    .order_by(items.c.position)
    .limit(_count)
)

LAST_POSITION: sa.Executable = sa.select(sa.func.max(items.c.position)).where(
    items.c.project_id == _project
)

#: What others hold and have not judged by `now`.
LAPSED: sa.Executable = (
    sa.select(assignments)
    .where(assignments.c.project_id == _project, assignments.c.done.is_(False))
    .where(
        # A lease cannot end later than one that begins now: a clock that was set back is no reason
        # to hold a pair for days.
        sa.or_(
            assignments.c.leased_until < sa.bindparam("now"),
            assignments.c.leased_until > sa.bindparam("latest"),
        ),
        assignments.c.annotator != _person,
    )
    .limit(_count)
)

HOLD = sa.insert(assignments)
#: Keep what this person holds until `until`.
RENEW = (
    sa.update(assignments)
    .where(_whose(assignments), assignments.c.done.is_(False))
    .values(leased_until=sa.bindparam("until"))
)
#: An item has been handed to one more person (`now_taken`, `still_open`).
TAKE = (
    sa.update(items)
    .where(items.c.id == _item)
    .values(taken=sa.bindparam("now_taken"), open=sa.bindparam("still_open"))
)

VOTE = sa.insert(votes)
#: Make `vote` the current one of a hold; `is_done` is false after an undo that leaves no vote.
SETTLE = (
    sa.update(assignments)
    .where(_this_hold)
    .values(vote_id=sa.bindparam("vote"), done=sa.bindparam("is_done"))
)
#: A person's cursor stands at `at`, and they have judged `more` items more.
MOVE = (
    sa.update(annotators)
    .where(_whose(annotators))
    .values(cursor=sa.bindparam("at"), done=annotators.c.done + sa.bindparam("more"))
)
COUNT = (
    sa.update(projects)
    .where(projects.c.id == _project)
    .values(done=projects.c.done + sa.bindparam("more"))
)

_voted = sa.and_(_whose(votes), votes.c.action == "vote")
#: When this person's newest votes were cast, and how long each took.
NEWEST: sa.Executable = (
    sa.select(votes.c.seconds, votes.c.created)
    .where(_voted)
    .order_by(votes.c.id.desc())
    .limit(_PACE_OF)
)
#: Judged by this person, since `midnight`, and by everybody together.
COUNTS: sa.Executable = sa.select(
    sa.select(annotators.c.done).where(_whose(annotators)).scalar_subquery().label("done"),
    sa.select(sa.func.count())
    .where(_voted, votes.c.created >= sa.bindparam("midnight"))
    .scalar_subquery()
    .label("today"),
    sa.select(projects.c.done).where(projects.c.id == _project).scalar_subquery().label("together"),
)
