"""Casting, taking back and queueing inside one open transaction; `store` is the way in."""

from __future__ import annotations

import math
import secrets
import time
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from studio.errors import DataError
from studio.preference.items import CHOICES, STRENGTHS, Vote, VoteReceipt, clean_text
from studio.preference.schema import annotators, assignments, items, projects, votes

MAX_NOTE, MAX_EDITED, MAX_KEY, MAX_NAME = 4_000, 100_000, 100, 80
_BY_SIDE = {"ab": {"left": "a", "right": "b"}, "ba": {"left": "b", "right": "a"}}


def checked_name(annotator: str) -> str:
    """The annotator's name trimmed; `DataError` unless it is 1 to 80 printable characters."""
    name = clean_text(annotator).strip() if isinstance(annotator, str) else ""
    if not 1 <= len(name) <= MAX_NAME or not name.isprintable():
        raise DataError("Enter your name to label: 1 to 80 letters, kept with each vote.")
    return name


def checked_key(key: str) -> str:
    """An idempotency key of 1 to 100 characters."""
    if not isinstance(key, str) or not 1 <= len(key) <= MAX_KEY:
        raise DataError(f"The submission's key must be text of 1 to {MAX_KEY} characters.")
    return clean_text(key)


def fresh_key() -> str:
    """A key for a submission that nobody will repeat."""
    return secrets.token_hex(16)


@dataclass(frozen=True)
class Ballot:
    """What a person decided, every part checked."""

    annotator: str
    choice: str
    strength: int
    seconds: float
    note: str
    edited: str
    key: str

    @classmethod
    def checked(
        cls,
        annotator: str,
        choice: str,
        strength: int,
        seconds: float,
        note: str,
        edited: str,
        key: str | None,
    ) -> Ballot:
        """Raise a `DataError` that names the part that cannot be used."""
        if choice not in (*CHOICES, "left", "right"):
            raise DataError(f"A vote is one of {', '.join(CHOICES)}; {choice!r} is none of them.")
        directed = choice not in ("tie", "both_bad", "skip")
        if directed and (isinstance(strength, bool) or strength not in STRENGTHS):
            raise DataError(
                f"Strength goes from 1 (slightly) to 4 (much better), not {strength!r}."
            )
        if isinstance(seconds, bool) or not isinstance(seconds, int | float):
            raise DataError(f"The time taken must be a number of seconds, not {seconds!r}.")
        note, edited = (
            clean_text(text) if isinstance(text, str) else "" for text in (note, edited)
        )
        if len(note) > MAX_NOTE:
            raise DataError(f"The note has {len(note):,} characters; the most is {MAX_NOTE:,}.")
        if len(edited) > MAX_EDITED:
            raise DataError(f"The edit has {len(edited):,} characters; the most is {MAX_EDITED:,}.")
        if edited.strip() and not directed:
            raise DataError("An edited answer belongs to a better answer: choose 1 or 2.")
        return cls(
            checked_name(annotator),
            choice,
            strength if directed else 0,
            min(max(float(seconds), 0.0), 86_400.0) if math.isfinite(seconds) else 0.0,
            note,
            edited if edited.strip() else "",
            checked_key(key if key is not None else fresh_key()),
        )


def cast(
    db: sa.Connection, project_id: str, item_id: int, ballot: Ballot, order: str
) -> VoteReceipt:
    """Write one vote as the item's next version for this person; a known key gets its receipt."""
    if order not in _BY_SIDE:
        raise DataError(f"The order shown is ab or ba, not {order!r}.")
    person = _lock_person(db, project_id, ballot.annotator)
    known = _by_key(db, project_id, ballot.annotator, ballot.key)
    if known:
        return _receipt(known, repeated=True)
    item = find_item(db, project_id, item_id)
    row = {
        "action": "vote",
        "choice": _BY_SIDE[order].get(ballot.choice, ballot.choice),
        "strength": ballot.strength,
        "order": order,
        "seconds": ballot.seconds,
        "note": ballot.note,
        "edited": ballot.edited,
    }
    return _record(db, person, item, ballot.key, row)


def take_back(db: sa.Connection, project_id: str, annotator: str, key: str) -> sa.Row[Any] | None:
    """Undo the person's last vote not yet undone; returns its item, None when there is none."""
    person = _lock_person(db, project_id, annotator)
    known = _by_key(db, project_id, annotator, key)
    if known:
        return find_item(db, project_id, known.item_id)
    undoing = votes.alias()
    last = db.execute(
        sa.select(votes)
        .where(votes.c.project_id == project_id, votes.c.annotator == annotator)
        .where(votes.c.action == "vote")
        .where(~sa.exists().where(undoing.c.undoes == votes.c.id))
        .order_by(votes.c.id.desc())
        .limit(1)
    ).first()
    if last is None:
        return None
    before = None
    if last.replaces is not None:
        before = db.execute(sa.select(votes).where(votes.c.id == last.replaces)).first()
    kept = ("choice", "strength", "order", "seconds", "note", "edited")
    row = {name: getattr(before or last, name) for name in kept}
    row |= {"action": "undo", "undoes": last.id}
    if before is None:
        row |= {"choice": None, "strength": 0, "note": "", "edited": ""}
    item = find_item(db, project_id, last.item_id)
    _record(db, person, item, key, row)
    return item


def open_items(db: sa.Connection, project_id: str, annotator: str, count: int) -> list[sa.Row[Any]]:
    """Items waiting for this person: reopened ones first, then those never seen, by position."""
    reopened = db.execute(
        sa.select(items)
        .join(assignments, assignments.c.item_id == items.c.id)
        .where(assignments.c.project_id == project_id, assignments.c.annotator == annotator)
        .where(assignments.c.done.is_(False))
        .order_by(assignments.c.position)
        .limit(count)
    ).all()
    if len(reopened) >= count:
        return list(reopened)
    cursor = db.scalar(
        sa.select(annotators.c.cursor).where(
            annotators.c.project_id == project_id, annotators.c.annotator == annotator
        )
    )
    unseen = _unseen(sa.select(items), project_id, annotator, cursor or 0)
    return [*reopened, *db.execute(unseen.limit(count - len(reopened)))]


def find_item(db: sa.Connection, project_id: str, item_id: int) -> sa.Row[Any]:
    """The stored item; `DataError` when it is not (or no longer) in the project."""
    query = sa.select(items).where(items.c.id == item_id, items.c.project_id == project_id)
    row = db.execute(query).first()
    if row is None:
        raise DataError(
            f"Pair {item_id} is not in this project any more; nothing was recorded. "
            "Reload to go on with the next one."
        )
    return row


def as_vote(row: sa.Row[Any]) -> Vote:
    """A row of `votes` as the value handed to callers."""
    names = [name for name in Vote.__dataclass_fields__ if name != "vote_id"]
    return Vote(vote_id=row.id, **{name: getattr(row, name) for name in names})


def _record(
    db: sa.Connection, person: sa.Row[Any], item: sa.Row[Any], key: str, row: dict[str, Any]
) -> VoteReceipt:
    """Append a version, make it current and move the counters, all in this transaction."""
    project_id, annotator = person.project_id, person.annotator
    mine = sa.and_(assignments.c.item_id == item.id, assignments.c.annotator == annotator)
    current = db.execute(sa.select(assignments).where(mine)).first()
    version = db.scalar(
        sa.select(sa.func.max(votes.c.version)).where(
            votes.c.item_id == item.id, votes.c.annotator == annotator
        )
    )
    row |= {
        "project_id": project_id,
        "item_id": item.id,
        "annotator": annotator,
        "version": (version or 0) + 1,
        "replaces": current.vote_id if current and current.done else None,
        "guideline_version": db.scalar(
            sa.select(projects.c.guideline_version).where(projects.c.id == project_id)
        ),
        "idempotency_key": key,
        "created": time.time(),
    }
    (vote_id,) = db.execute(votes.insert().values(**row)).inserted_primary_key or (0,)
    done = row["choice"] is not None
    if current:
        db.execute(assignments.update().where(mine).values(vote_id=vote_id, done=done))
    else:
        db.execute(
            assignments.insert().values(
                item_id=item.id,
                annotator=annotator,
                project_id=project_id,
                position=item.position,
                done=done,
                vote_id=vote_id,
            )
        )
    _move_on(db, person, int(done) - int(bool(current and current.done)))
    return VoteReceipt(
        vote_id, item.id, row["version"], row["choice"] or "", row["strength"], row["created"]
    )


def _move_on(db: sa.Connection, person: sa.Row[Any], more_done: int) -> None:
    first = _unseen(
        sa.select(items.c.position), person.project_id, person.annotator, person.cursor
    ).limit(1)
    cursor = db.scalar(first)
    if cursor is None:
        cursor = db.scalar(sa.select(projects.c["items"]).where(projects.c.id == person.project_id))
    db.execute(
        annotators.update()
        .where(annotators.c.project_id == person.project_id)
        .where(annotators.c.annotator == person.annotator)
        .values(cursor=cursor, done=person.done + more_done)
    )


def _unseen(query: sa.Select[Any], project_id: str, annotator: str, cursor: int) -> sa.Select[Any]:
    seen = sa.exists().where(
        assignments.c.item_id == items.c.id, assignments.c.annotator == annotator
    )
    return (
        query.where(items.c.project_id == project_id, items.c.position >= cursor)
        .where(~seen)
        .order_by(items.c.position)
    )


def _lock_person(db: sa.Connection, project_id: str, annotator: str) -> sa.Row[Any]:
    """This person's row in the project, made if new and locked until the transaction ends."""
    query = (
        sa.select(annotators)
        .where(annotators.c.project_id == project_id, annotators.c.annotator == annotator)
        .with_for_update()
    )
    row = db.execute(query).first()
    if row is None:
        values = {"project_id": project_id, "annotator": annotator, "cursor": 0, "done": 0}
        try:
            with db.begin_nested():
                db.execute(annotators.insert().values(**values))
        except IntegrityError:  # the same person's other browser was first: wait for its lock
            pass
        row = db.execute(query).one()
    return row


def _by_key(db: sa.Connection, project_id: str, annotator: str, key: str) -> sa.Row[Any] | None:
    return db.execute(
        sa.select(votes).where(
            votes.c.project_id == project_id,
            votes.c.annotator == annotator,
            votes.c.idempotency_key == key,
        )
    ).first()


def _receipt(row: sa.Row[Any], repeated: bool) -> VoteReceipt:
    return VoteReceipt(
        row.id, row.item_id, row.version, row.choice or "", row.strength, row.created, repeated
    )
