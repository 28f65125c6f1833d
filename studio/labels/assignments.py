"""Who gets which item: assigning, holding and releasing, inside one open transaction.

A project with `overlap` 0 and no repeats needs none of it: everyone goes through all items, and an
annotator's position is a cursor. Otherwise an item is *held* for an annotator (a leased row of
`assignments`) from the moment it is shown, counts as taken, and is released when the lease expires.
Writers of one project queue on its row, so that no item is taken more often than its overlap.

The cursor is an invariant: no open item that the annotator has not seen lies before it. So the next
item is found by an index, however many items there are.
"""

from __future__ import annotations

import random
import time
from typing import Any

import sqlalchemy as sa

from studio.core.errors import DataError
from studio.labels import queries
from studio.labels.schema import annotators, assignments, items, projects
from studio.labels.types import ADJUDICATION, Project

_BEFORE_REPEAT = 3  # votes that lie between an item and its second turn, at least
_LAPSED_AT_ONCE = 50


def lock_project(db: sa.Connection, project_id: str) -> Project:
    """The project, locked against other writers until the transaction ends (SQLite always is)."""
    return find_project(db, project_id, queries.PROJECT_LOCKED)


def find_project(
    db: sa.Connection, project_id: str, query: sa.Executable = queries.PROJECT
) -> Project:
    """The project with this id; `DataError` where there is none."""
    row = db.execute(query, {"project": project_id}).mappings().first()
    if row is None:
        raise DataError(f"There is no labeling project {project_id!r}; choose one from the list.")
    return Project(**row)


def the_person(db: sa.Connection, project_id: str, annotator: str) -> sa.Row[Any]:
    """This annotator's row in a locked project, created if new."""
    who = {"project": project_id, "person": annotator}
    row = db.execute(queries.PERSON, who).first()
    if row is None:
        values = {"project_id": project_id, "annotator": annotator, "cursor": 0, "done": 0}
        db.execute(annotators.insert().values(**values))
        row = db.execute(queries.PERSON, who).one()
    return row


def walk(db: sa.Connection, project_id: str, annotator: str, count: int) -> list[sa.Row[Any]]:
    """The next items where nothing is held: those reopened by an undo, then those unseen."""
    who = {"project": project_id, "person": annotator}
    reopened = list(db.execute(queries.HELD, who | {"count": count}))
    if len(reopened) >= count:
        return reopened
    person = db.execute(queries.PERSON, who).first()
    start = {"cursor": person.cursor if person else 0, "count": count - len(reopened)}
    return [*reopened, *db.execute(queries.UNSEEN, who | start)]


def hold(
    db: sa.Connection, project: Project, annotator: str, count: int, lease: float
) -> list[sa.Row[Any]]:
    """The items held for this annotator, up to `count`, for `lease` seconds from now.

    The project must be locked. Expired leases of others are released first.
    """
    now, who = time.time(), {"project": project.id, "person": annotator}
    _give_back_lapsed(db, project, annotator, now, now + lease)
    person = the_person(db, project.id, annotator)
    held = list(db.execute(queries.HELD, who | {"count": count}))
    again = False
    for _ in range(count - len(held)):
        if _claim_repeat(db, project, person, now):
            again = True
            continue
        item = _claim_next(db, project, person, now)
        if item is None:
            break
        held.append(item)
    db.execute(queries.RENEW, who | {"until": now + lease})
    return list(db.execute(queries.HELD, who | {"count": count})) if again else held


def claim(db: sa.Connection, project: Project, item: sa.Row[Any], annotator: str) -> None:
    """Take an item for this annotator; `DataError` when enough others have it already."""
    if not item.open:
        raise DataError(
            f"Pair {item.id} was assigned to somebody else while you were away; this vote was not "
            "counted. Continue with the next one."
        )
    _take(db, project, item, annotator, time.time())


def claim_ruling(db: sa.Connection, project: Project, item: sa.Row[Any], annotator: str) -> None:
    """Assign a ruling to an owner; it counts neither as taken nor as another vote."""
    values = {"item_id": item.id, "position": item.position, "turn": ADJUDICATION}
    _assign(db, project.id, annotator, time.time(), values)


def move_on(db: sa.Connection, person: sa.Row[Any], more_done: int) -> None:
    """Update the annotator's counters after a vote or an undo."""
    who = {"project": person.project_id, "person": person.annotator}
    unseen = db.execute(queries.UNSEEN, who | {"cursor": person.cursor, "count": 1}).first()
    if unseen is not None:
        cursor = unseen.position
    else:
        cursor = (db.scalar(queries.LAST_POSITION, who) or 0) + 1
    db.execute(queries.MOVE, who | {"at": cursor, "more": more_done})


def retire(db: sa.Connection, project: Project, item: sa.Row[Any]) -> None:
    """Remove an item from the project; its votes stay in the record, but count nowhere."""
    given = sa.and_(assignments.c.item_id == item.id, assignments.c.turn == 0)
    done = list(db.scalars(sa.select(assignments.c.annotator).where(given, assignments.c.done)))
    db.execute(assignments.delete().where(assignments.c.item_id == item.id))
    db.execute(items.update().where(items.c.id == item.id).values(open=False, retired=True))
    db.execute(
        annotators.update()
        .where(annotators.c.project_id == project.id, annotators.c.annotator.in_(done))
        .values(done=annotators.c.done - 1)
    )
    db.execute(
        projects.update()
        .where(projects.c.id == project.id)
        .values(items=projects.c["items"] - 1, done=projects.c.done - len(done))
    )


def holds(project: Project) -> bool:
    """Whether items are held for annotators rather than shown to everyone."""
    return project.overlap > 0 or project.repeat_every > 0


# ---- the steps ----------------------------------------------------------------------------------


def _claim_next(
    db: sa.Connection, project: Project, person: sa.Row[Any], now: float
) -> sa.Row[Any] | None:
    who = {"project": project.id, "person": person.annotator}
    item = db.execute(queries.UNSEEN, who | {"cursor": person.cursor, "count": 1}).first()
    if item is not None:
        _take(db, project, item, person.annotator, now)
    return item


def _claim_repeat(db: sa.Connection, project: Project, person: sa.Row[Any], now: float) -> bool:
    """Once in `repeat_every` votes, one of the annotator's earlier items, drawn at random."""
    if not project.repeat_every or person.done < project.repeat_every:
        return False
    mine = sa.and_(
        assignments.c.project_id == project.id, assignments.c.annotator == person.annotator
    )
    repeats = db.scalar(sa.select(sa.func.count()).where(mine, assignments.c.turn == 1)) or 0
    if person.done // project.repeat_every <= repeats:
        return False
    again = assignments.alias()
    asked_twice = sa.exists().where(
        again.c.item_id == assignments.c.item_id,
        again.c.annotator == person.annotator,
        again.c.turn == 1,
    )
    earlier = (
        sa.select(assignments.c.item_id, assignments.c.position)
        .where(mine, assignments.c.turn == 0, assignments.c.done.is_(True), ~asked_twice)
        .order_by(assignments.c.vote_id.desc())
        .offset(_BEFORE_REPEAT)
        .limit(200)
    )
    found = db.execute(earlier).all()
    if not found:
        return False
    draw = random.Random(f"{project.seed}:{person.annotator}:{repeats}")
    chosen = draw.choice(found)
    values = {"item_id": chosen.item_id, "position": chosen.position, "turn": 1}
    _assign(db, project.id, person.annotator, now, values)
    return True


def _take(
    db: sa.Connection, project: Project, item: sa.Row[Any], annotator: str, now: float
) -> None:
    values = {"item_id": item.id, "position": item.position, "turn": 0}
    _assign(db, project.id, annotator, now, values)
    taken = item.taken + 1
    still_open = not project.overlap or taken < project.overlap
    db.execute(queries.TAKE, {"item": item.id, "now_taken": taken, "still_open": still_open})


def _assign(
    db: sa.Connection, project_id: str, annotator: str, now: float, values: dict[str, Any]
) -> None:
    held = {"project_id": project_id, "annotator": annotator, "done": False, "claimed": now}
    db.execute(queries.HOLD, held | values)


def _give_back_lapsed(
    db: sa.Connection, project: Project, annotator: str, now: float, latest: float
) -> None:
    """Release what others hold beyond their lease, or until after `latest`."""
    mine = {"project": project.id, "person": annotator, "now": now, "latest": latest}
    mine["count"] = _LAPSED_AT_ONCE
    lapsed = db.execute(queries.LAPSED, mine).all()
    for row in lapsed:
        db.execute(
            assignments.delete().where(
                assignments.c.item_id == row.item_id,
                assignments.c.annotator == row.annotator,
                assignments.c.turn == row.turn,
            )
        )
        if row.turn:
            continue
        db.execute(
            items.update()
            .where(items.c.id == row.item_id, items.c.retired.is_(False))
            .values(taken=items.c.taken - 1, open=True)
        )
        db.execute(  # restores the cursor's invariant for everyone past the item
            annotators.update()
            .where(annotators.c.project_id == project.id, annotators.c.cursor > row.position)
            .values(cursor=row.position)
        )
