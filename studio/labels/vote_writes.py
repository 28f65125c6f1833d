"""Recording and undoing votes inside one open transaction; `store` is the public interface."""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from studio.core.errors import DataError
from studio.core.version import __version__
from studio.labels import assignments, queries
from studio.labels.schema import items, votes
from studio.labels.types import (
    ADJUDICATION,
    CHOICES,
    STRENGTHS,
    Project,
    Vote,
    VoteReceipt,
    clean_text,
)

MAX_NOTE, MAX_EDITED, MAX_KEY, MAX_NAME = 4_000, 100_000, 100, 80
#: Columns that an undo restores from the version before.
_KEPT = ("choice", "strength", "order", "seconds", "note", "edited", "reasons", "aspects")
_BY_SIDE = {"ab": {"left": "a", "right": "b"}, "ba": {"left": "b", "right": "a"}}


def checked_name(annotator: object) -> str:
    """The annotator's name trimmed; `DataError` unless it is 1 to 80 printable characters."""
    name = clean_text(annotator).strip() if isinstance(annotator, str) else ""
    if not 1 <= len(name) <= MAX_NAME or not name.isprintable():
        raise DataError("Enter your name to label: 1 to 80 letters, kept with each vote.")
    return name


def checked_key(key: object) -> str:
    """An idempotency key of 1 to 100 characters."""
    if not isinstance(key, str) or not 1 <= len(key) <= MAX_KEY:
        raise DataError(f"The submission's key must be text of 1 to {MAX_KEY} characters.")
    return clean_text(key)


def fresh_key() -> str:
    """A key for a submission that nobody will repeat."""
    return secrets.token_hex(16)


@dataclass(frozen=True)
class VoteInput:
    """A vote as submitted, every part checked."""

    annotator: str
    choice: str
    strength: int
    seconds: float
    note: str
    edited: str
    key: str
    turn: int
    reasons: list[str]
    aspects: dict[str, str]

    @classmethod
    def checked(
        cls,
        annotator: str,
        choice: str,
        strength: int,
        seconds: object,
        note: str,
        edited: str,
        key: str | None,
        turn: int = 0,
        reasons: Sequence[str] = (),
        aspects: Mapping[str, str] | None = None,
    ) -> VoteInput:
        """Raise a `DataError` that names the part that cannot be used."""
        if choice not in (*CHOICES, "left", "right"):
            raise DataError(f"A vote is one of {', '.join(CHOICES)}; {choice!r} is none of them.")
        directed = choice in ("a", "b", "left", "right")
        if directed and (isinstance(strength, bool) or strength not in STRENGTHS):
            raise DataError(
                f"Strength goes from 1 (slightly) to 4 (much better), not {strength!r}."
            )
        if isinstance(seconds, bool) or not isinstance(seconds, int | float):
            raise DataError(f"The time taken must be a number of seconds, not {seconds!r}.")
        note, edited = clean_text(note), clean_text(edited)
        if len(note) > MAX_NOTE:
            raise DataError(f"The note has {len(note):,} characters; the most is {MAX_NOTE:,}.")
        if len(edited) > MAX_EDITED:
            raise DataError(f"The edit has {len(edited):,} characters; the most is {MAX_EDITED:,}.")
        if edited.strip() and not directed:
            raise DataError("An edited answer needs a preferred side: choose 1 or 2.")
        return cls(
            checked_name(annotator),
            choice,
            strength if directed else 0,
            min(max(float(seconds), 0.0), 86_400.0) if math.isfinite(seconds) else 0.0,
            note,
            edited if edited.strip() else "",
            checked_key(key if key is not None else fresh_key()),
            _turn(turn),
            [clean_text(str(reason))[:80] for reason in reasons][:20],
            {clean_text(str(k))[:80]: str(v) for k, v in (aspects or {}).items()},
        )

    def check_against(self, project: Project) -> None:
        """`DataError` for a reason or an aspect that the project does not ask about."""
        strange = [reason for reason in self.reasons if reason not in project.reasons]
        strange += [aspect for aspect in self.aspects if aspect not in project.aspects]
        if strange:
            raise DataError(f"{project.name} does not ask about {strange[0]!r}; reload the page.")
        answers = ("a", "b", "left", "right", "tie")
        if any(answer not in answers for answer in self.aspects.values()):
            raise DataError(f"An aspect is answered with one of {', '.join(answers)}.")


def record(
    db: sa.Connection, project: Project, item_id: int, ballot: VoteInput, order: str
) -> VoteReceipt:
    """Write one vote as the item's next version for this person; a known key gets its receipt.

    The project must be locked.
    """
    if order not in _BY_SIDE:
        raise DataError(f"The order shown is ab or ba, not {order!r}.")
    known = _by_key(db, project.id, ballot.annotator, ballot.key)
    if known:
        return _receipt(known, repeated=True)
    ballot.check_against(project)
    by_side = _BY_SIDE[order]
    row = {
        "action": "vote",
        "choice": by_side.get(ballot.choice, ballot.choice),
        "strength": ballot.strength,
        "order": order,
        "seconds": ballot.seconds,
        "note": ballot.note,
        "edited": ballot.edited,
        "reasons": ballot.reasons,
        "aspects": {name: by_side.get(side, side) for name, side in ballot.aspects.items()},
        "turn": ballot.turn,
    }
    return _record(db, project, item_id, ballot.annotator, ballot.key, row)


def undo(
    db: sa.Connection, project: Project, annotator: str, key: str
) -> tuple[sa.Row[Any], int] | None:
    """Undo the person's last vote not yet undone: its item and turn, None when there is none.

    The project must be locked.
    """
    known = _by_key(db, project.id, annotator, key)
    if known:
        return find_item(db, project.id, known.item_id), known.turn
    undoing = votes.alias()
    last = db.execute(
        sa.select(votes)
        .join(items, items.c.id == votes.c.item_id)
        .where(votes.c.project_id == project.id, votes.c.annotator == annotator)
        .where(votes.c.action == "vote", items.c.retired.is_(False))
        .where(~sa.exists().where(undoing.c.undoes == votes.c.id))
        .order_by(votes.c.id.desc())
        .limit(1)
    ).first()
    if last is None:
        return None
    before = None
    if last.replaces is not None:
        before = db.execute(sa.select(votes).where(votes.c.id == last.replaces)).first()
    row = {name: getattr(before or last, name) for name in _KEPT}
    row |= {"action": "undo", "undoes": last.id, "turn": last.turn}
    if before is None:
        row |= {"choice": None, "strength": 0, "note": "", "edited": ""}
    _record(db, project, last.item_id, annotator, key, row)
    return find_item(db, project.id, last.item_id), last.turn


def find_item(db: sa.Connection, project_id: str, item_id: int) -> sa.Row[Any]:
    """The stored item; `DataError` when it is not (or no longer) in the project."""
    row = db.execute(queries.ITEM, {"project": project_id, "item": item_id}).first()
    if row is None:
        raise _not_here(item_id)
    return row


def _not_here(item_id: int) -> DataError:
    return DataError(
        f"Pair {item_id} is not in this project any more; nothing was recorded. "
        "Reload the page to continue with the next one."
    )


def as_vote(row: sa.Row[Any]) -> Vote:
    """A row of `votes` as the value handed to callers."""
    names = [name for name in Vote.__dataclass_fields__ if name != "vote_id"]
    return Vote(vote_id=row.id, **{name: getattr(row, name) for name in names})


def _record(
    db: sa.Connection, project: Project, item_id: int, annotator: str, key: str, row: dict[str, Any]
) -> VoteReceipt:
    """Append a version, make it current and move the counters, all in this transaction."""
    who = {"project": project.id, "person": annotator, "item": item_id, "at_turn": row["turn"]}
    person = assignments.the_person(db, project.id, annotator)
    place = db.execute(queries.PLACE, who).first()
    if place is None:
        raise _not_here(item_id)
    if place.claimed is None:
        _claim(db, project, place, annotator, row["turn"])
    before, done = bool(place.done), row["choice"] is not None
    row |= {
        "project_id": project.id,
        "item_id": item_id,
        "annotator": annotator,
        "version": place.version + 1,
        "replaces": place.vote_id if before else None,
        "guideline_version": project.guideline_version,
        "idempotency_key": key,
        "created": time.time(),
        "studio_version": __version__,
    }
    (vote_id,) = db.execute(queries.VOTE, row).inserted_primary_key or (0,)
    db.execute(queries.SETTLE, who | {"vote": vote_id, "is_done": done})
    more = 0 if row["turn"] else int(done) - int(before)
    assignments.move_on(db, person, more)
    if more:
        db.execute(queries.COUNT, {"project": project.id, "more": more})
    return VoteReceipt(
        vote_id, item_id, row["version"], row["choice"] or "", row["strength"], row["created"]
    )


def _claim(
    db: sa.Connection, project: Project, place: sa.Row[Any], annotator: str, turn: int
) -> None:
    """Assign the item that is voted on, where that is allowed."""
    if turn == ADJUDICATION:
        assignments.claim_ruling(db, project, place, annotator)
    elif turn:
        raise DataError("This pair is not due for a repeat; reload the page.")
    else:
        assignments.claim(db, project, place, annotator)


def _turn(turn: int) -> int:
    if turn not in (0, 1, ADJUDICATION):
        raise DataError(f"The turn of a vote is 0, 1 (a repeat) or 2 (a ruling), not {turn!r}.")
    return int(turn)


def _by_key(db: sa.Connection, project_id: str, annotator: str, key: str) -> sa.Row[Any] | None:
    asked = {"project": project_id, "person": annotator, "key": key}
    return db.execute(queries.SUBMITTED, asked).first()


def _receipt(row: sa.Row[Any], repeated: bool) -> VoteReceipt:
    return VoteReceipt(
        row.id, row.item_id, row.version, row.choice or "", row.strength, row.created, repeated
    )
