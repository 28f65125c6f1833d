"""The vote store: projects, items and append-only votes, acknowledged only after commit.

    store = LabelStore("sqlite:///votes.db")          # or a PostgreSQL URL; same code, same tables
    project = store.create_project("first answers")
    store.add_items(project.id, items)
    shown = store.next_item(project.id, "ada")
    store.vote(project.id, shown.item_id, "ada", "left", strength=2, idempotency_key=key)

Nothing is overwritten: a change of mind and an undo are new versions. Every call is one short
transaction and safe from any thread. The work per vote does not depend on how many items there are.
"""

from __future__ import annotations

import random
import secrets
import statistics
import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from studio.errors import DataError, did_you_mean
from studio.preference import ballots
from studio.preference.ballots import Ballot
from studio.preference.export import Export, export_items
from studio.preference.items import (
    DEFAULT_QUESTION,
    DEFAULT_STRENGTH,
    Added,
    Item,
    JudgedItem,
    Progress,
    Project,
    ShownItem,
    Vote,
    VoteReceipt,
    clean_text,
    side_order,
)
from studio.preference.pairs import sift
from studio.preference.schema import Database, annotators, assignments, items, projects, votes
from studio.preference.winrate import WinRate, tally
from studio.workspace import new_id

_CHUNK = 500  # digests looked up in one query: below every database's limit on parameters


class LabelStore:
    """Labelling projects in one database; see the module's first lines for the way through it."""

    def __init__(self, url: str):
        self._db = Database(url)

    def close(self) -> None:
        """Let go of the database's connections."""
        self._db.close()

    # --- projects and items -------------------------------------------------------------------

    def projects(self) -> list[Project]:
        """All projects, newest first."""
        query = sa.select(projects).order_by(projects.c.created.desc(), projects.c.id.desc())
        with self._db.reading() as db:
            return [Project(**row._mapping) for row in db.execute(query)]

    def get(self, id_or_name: str) -> Project:
        """A project by id or by name; `DataError` with the nearest name when there is none."""
        either = sa.or_(projects.c.id == id_or_name, projects.c.name == id_or_name)
        with self._db.reading() as db:
            row = db.execute(sa.select(projects).where(either)).first()
            if row:
                return Project(**row._mapping)
            names = list(db.scalars(sa.select(projects.c.name)))
        raise DataError(
            f"There is no labelling project {id_or_name!r}.{did_you_mean(str(id_or_name), names)}"
        )

    def create_project(
        self,
        name: str,
        question: str = DEFAULT_QUESTION,
        guidelines: str = "",
        provenance: Mapping[str, Any] | None = None,
        order: str = "random",
        seed: int | None = None,
    ) -> Project:
        """A new, empty project; its name must be free (`free_name` finds one).

        `order` "random" shuffles items as they arrive, so that stopping early leaves a fair sample;
        "given" keeps them as they come. `seed` decides every shuffle; drawn when not given.
        """
        name = clean_text(name).strip()
        if not 1 <= len(name) <= 120:
            raise DataError("A labelling project needs a name of 1 to 120 characters.")
        if order not in ("random", "given"):
            raise DataError(f"Order must be random or given, not {order!r}.")
        row = {
            "id": new_id("labels"),
            "name": name,
            "question": clean_text(question).strip() or DEFAULT_QUESTION,
            "guidelines": clean_text(guidelines),
            "guideline_version": 1,
            "order": order,
            "seed": secrets.randbelow(2**31) if seed is None else seed,
            "items": 0,
            "created": time.time(),
            "provenance": dict(provenance or {}),
        }
        try:
            with self._db.writing() as db:
                db.execute(projects.insert().values(**row))
        except IntegrityError as error:
            raise DataError(
                f"A labelling project named {name!r} exists already; choose another name."
            ) from error
        return Project(**row)

    def free_name(self, wanted: str) -> str:
        """`wanted`, or `wanted 2`, `wanted 3` ... whichever no project has yet."""
        wanted = (wanted.strip() or "labels")[:110]
        taken = {project.name for project in self.projects()}
        name, number = wanted, 2
        while name in taken:
            name, number = f"{wanted} {number}", number + 1
        return name

    def revise_guidelines(self, project_id: str, guidelines: str) -> Project:
        """Replace the guidelines; votes from now on carry the next guideline version."""
        with self._db.writing() as db:
            db.execute(
                projects.update()
                .where(projects.c.id == project_id)
                .values(
                    guidelines=clean_text(guidelines),
                    guideline_version=projects.c.guideline_version + 1,
                )
            )
        return self.get(project_id)

    def add_items(self, project_id: str, new: Iterable[Item]) -> Added:
        """Add pairs at the end; identical, empty and duplicate ones are set aside, counted."""
        kept, aside = sift(new)
        with self._db.writing() as db:
            project = _lock_project(db, project_id)
            known = _known_digests(db, project.id, list(kept))
            if known:
                aside["duplicate"] = aside.get("duplicate", 0) + len(known)
            fresh = [(digest, item) for digest, item in kept.items() if digest not in known]
            if project.order == "random":
                random.Random(f"{project.seed}:{project.items}").shuffle(fresh)
            if fresh:
                db.execute(items.insert(), _item_rows(project, fresh))
                total = project.items + len(fresh)
                db.execute(projects.update().where(projects.c.id == project.id).values(items=total))
        return Added(len(fresh), aside)

    # --- labelling ----------------------------------------------------------------------------

    def next_item(self, project_id: str, annotator: str) -> ShownItem | None:
        """The item this person should judge now; the same one until they have, None when done."""
        return next(iter(self.upcoming(project_id, annotator, 1)), None)

    def upcoming(self, project_id: str, annotator: str, count: int = 2) -> list[ShownItem]:
        """The next `count` items for this person; the first is `next_item`, the rest follow it."""
        annotator = ballots.checked_name(annotator)
        with self._db.reading() as db:
            seed = _seed(db, project_id)
            rows = ballots.open_items(db, project_id, annotator, count)
        return [_shown(row, seed, annotator) for row in rows]

    def show(self, project_id: str, item_id: int, annotator: str) -> ShownItem:
        """One particular item as this person sees it (to change an earlier vote)."""
        annotator = ballots.checked_name(annotator)
        with self._db.reading() as db:
            seed = _seed(db, project_id)
            row = ballots.find_item(db, project_id, item_id)
        return _shown(row, seed, annotator)

    def vote(
        self,
        project_id: str,
        item_id: int,
        annotator: str,
        choice: str,
        strength: int = DEFAULT_STRENGTH,
        shown_order: str | None = None,
        seconds: float = 0.0,
        idempotency_key: str | None = None,
        note: str = "",
        edited: str = "",
    ) -> VoteReceipt:
        """Record a vote; returns once it is on disk.

        `choice` is one of `items.CHOICES`, or "left"/"right" by what was seen. `shown_order`
        defaults to the order this person is shown. A second call with the same `idempotency_key`
        returns the first one's receipt and changes nothing. `edited` is an improved text of the
        winning answer. Voting again on an item adds a version.
        """
        ballot = Ballot.checked(annotator, choice, strength, seconds, note, edited, idempotency_key)
        with self._db.writing() as db:
            seed = _seed(db, project_id)
            order = shown_order or side_order(seed, ballot.annotator, item_id)
            return ballots.cast(db, project_id, item_id, ballot, order)

    def undo(
        self, project_id: str, annotator: str, idempotency_key: str | None = None
    ) -> ShownItem | None:
        """Take back this person's last vote not yet taken back; returns its item, or None.

        The item becomes the next one again, or, if an earlier vote on it existed, that one is
        current again. Both are recorded as a new version. A repeated key takes back nothing more.
        """
        annotator = ballots.checked_name(annotator)
        with self._db.writing() as db:
            seed = _seed(db, project_id)
            key = idempotency_key or ballots.fresh_key()
            row = ballots.take_back(db, project_id, annotator, ballots.checked_key(key))
            return _shown(row, seed, annotator) if row else None

    def progress(self, project_id: str, annotator: str) -> Progress:
        """Done, total, today's count, pace and the time of the last saved vote."""
        annotator = ballots.checked_name(annotator)
        mine = sa.and_(votes.c.project_id == project_id, votes.c.annotator == annotator)
        voted = sa.and_(mine, votes.c.action == "vote")
        midnight = time.mktime((*time.localtime()[:3], 0, 0, 0, 0, 0, -1))
        with self._db.reading() as db:
            total = db.scalar(sa.select(projects.c["items"]).where(projects.c.id == project_id))
            if total is None:
                raise _no_project(project_id)
            done = db.scalar(
                sa.select(annotators.c.done)
                .where(annotators.c.project_id == project_id)
                .where(annotators.c.annotator == annotator)
            )
            today = db.scalar(sa.select(sa.func.count()).where(voted, votes.c.created >= midnight))
            recent = db.execute(
                sa.select(votes.c.seconds, votes.c.created)
                .where(voted)
                .order_by(votes.c.id.desc())
                .limit(30)
            ).all()
        paces = [row.seconds for row in recent if row.seconds > 0]
        return Progress(
            done=done or 0,
            total=total,
            today=today or 0,
            seconds_each=statistics.median(paces) if paces else None,
            saved_at=recent[0].created if recent else None,
        )

    def history(self, project_id: str, annotator: str, limit: int = 50) -> list[Vote]:
        """This person's current votes, newest first."""
        annotator = ballots.checked_name(annotator)
        query = (
            _current_votes(project_id)
            .where(votes.c.annotator == annotator)
            .order_by(votes.c.id.desc())
            .limit(limit)
        )
        with self._db.reading() as db:
            return [ballots.as_vote(row) for row in db.execute(query)]

    def versions(self, project_id: str, item_id: int) -> list[dict[str, Any]]:
        """The whole record of one item, oldest first: every vote, change and undo by everybody."""
        query = (
            sa.select(votes)
            .where(votes.c.project_id == project_id, votes.c.item_id == item_id)
            .order_by(votes.c.id)
        )
        with self._db.reading() as db:
            return [dict(row._mapping) for row in db.execute(query)]

    # --- what came of it ----------------------------------------------------------------------

    def judged(self, project_id: str) -> Iterator[JudgedItem]:
        """Every item in order of position, each with the current votes of all who voted on it."""
        with self._db.reading() as db:
            _seed(db, project_id)
            stored = db.execute(
                sa.select(items).where(items.c.project_id == project_id).order_by(items.c.position)
            ).all()
            current = db.execute(_current_votes(project_id).order_by(votes.c.item_id)).all()
        by_item = {
            item_id: tuple(ballots.as_vote(row) for row in rows)
            for item_id, rows in groupby(current, key=lambda row: row.item_id)
        }
        for row in stored:
            texts = (row.prompt, row.answer_a, row.answer_b, row.source_a, row.source_b)
            yield JudgedItem(row.id, *texts, by_item.get(row.id, ()))

    def results(self, project_id: str) -> list[WinRate]:
        """Win rates between the sources that met (see `winrate.tally`), most items first."""
        return tally(self.judged(project_id))

    def export(self, project_id: str, format: str = "dpo") -> Export:
        """Rows for DPO, KTO or reward training with an account of what was left out and why."""
        return export_items(self.judged(project_id), format)


def _no_project(project_id: str) -> DataError:
    return DataError(f"There is no labelling project {project_id!r}; choose one from the list.")


def _seed(db: sa.Connection, project_id: str) -> int:
    seed = db.scalar(sa.select(projects.c.seed).where(projects.c.id == project_id))
    if seed is None:
        raise _no_project(project_id)
    return seed


def _lock_project(db: sa.Connection, project_id: str) -> Project:
    query = sa.select(projects).where(projects.c.id == project_id).with_for_update()
    row = db.execute(query).first()
    if row is None:
        raise _no_project(project_id)
    return Project(**row._mapping)


def _known_digests(db: sa.Connection, project_id: str, digests: list[str]) -> set[str]:
    known: set[str] = set()
    for start in range(0, len(digests), _CHUNK):
        query = sa.select(items.c.digest).where(
            items.c.project_id == project_id,
            items.c.digest.in_(digests[start : start + _CHUNK]),
        )
        known.update(db.scalars(query))
    return known


def _item_rows(project: Project, fresh: list[tuple[str, Item]]) -> list[dict[str, Any]]:
    now = time.time()
    return [
        {
            "project_id": project.id,
            "position": position,
            "digest": digest,
            "prompt": item.prompt,
            "answer_a": item.answer_a,
            "answer_b": item.answer_b,
            "source_a": dict(item.source_a),
            "source_b": dict(item.source_b),
            "provenance": dict(item.provenance),
            "created": now,
        }
        for position, (digest, item) in enumerate(fresh, project.items)
    ]


def _current_votes(project_id: str) -> sa.Select[Any]:
    return (
        sa.select(votes)
        .join(assignments, assignments.c.vote_id == votes.c.id)
        .where(assignments.c.project_id == project_id, assignments.c.done.is_(True))
    )


def _shown(row: sa.Row[Any], seed: int, annotator: str) -> ShownItem:
    order = side_order(seed, annotator, row.id)
    left, right = row.answer_a, row.answer_b
    if order == "ba":
        left, right = right, left
    return ShownItem(row.project_id, row.id, row.prompt, left, right, order)
