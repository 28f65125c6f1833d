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

import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import sqlalchemy as sa

from studio.core.messages import Message, revived
from studio.labels import assignments as desk
from studio.labels import queries, vote_writes
from studio.labels.aggregation import Rule
from studio.labels.export import Export, export_items
from studio.labels.projects import ProjectStore
from studio.labels.schema import annotators, assignments, items, votes
from studio.labels.types import (
    ADJUDICATION,
    DEFAULT_STRENGTH,
    JudgedItem,
    Progress,
    Project,
    ShownItem,
    Standing,
    Vote,
    VoteReceipt,
    side_order,
)
from studio.labels.vote_writes import VoteInput
from studio.labels.win_rates import WinRate, tally

LEASE = 15 * 60.0
_MOST_ASKED = 500  # pairs looked up in one query: below every database's limit on parameters


class LabelStore(ProjectStore):
    """Labeling projects in one database; the module's docstring shows how to use it."""

    def __init__(self, url: str, lease: float = LEASE):
        """`lease` is how many seconds a shown item is held for an annotator."""
        super().__init__(url)
        self._lease = lease

    # --- labeling -----------------------------------------------------------------------------

    def next_item(self, project_id: str, annotator: str) -> ShownItem | None:
        """The current item, the same one until there is a vote on it; None when done."""
        return next(iter(self.upcoming(project_id, annotator, 1)), None)

    def upcoming(self, project_id: str, annotator: str, count: int = 2) -> list[ShownItem]:
        """The next `count` items for this person; the first is `next_item`, the rest follow it.

        Where items are shared out, these are held for the person from now on.
        """
        return self.standing(project_id, annotator, count).upcoming

    def standing(self, project_id: str, annotator: str, count: int = 2) -> Standing:
        """The next `count` items for this person, held where items are shared out, and progress."""
        annotator = vote_writes.checked_name(annotator)
        with self._db.reading() as db:
            project = desk.find_project(db, project_id)
            if not desk.holds(project):
                return self._standing(db, project, annotator, count)
        with self._db.writing() as db:
            project = desk.lock_project(db, project_id)
            return self._standing(db, project, annotator, count)

    def show(self, project_id: str, item_id: int, annotator: str) -> ShownItem:
        """One item as this annotator sees it (to change an earlier vote)."""
        annotator = vote_writes.checked_name(annotator)
        with self._db.reading() as db:
            project = desk.find_project(db, project_id)
            row = vote_writes.find_item(db, project_id, item_id)
        return _shown(row, project, annotator, 0)

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
        turn: int = 0,
        reasons: Sequence[str] = (),
        aspects: Mapping[str, str] | None = None,
    ) -> VoteReceipt:
        """Record a vote; returns once it is on disk.

        `choice` is one of `types.CHOICES`, or "left"/"right" as shown. `shown_order`
        defaults to the order this person is shown. A second call with the same `idempotency_key`
        returns the first one's receipt and changes nothing. `edited` is an improved text of the
        winning answer. Voting again on an item adds a version. `turn` is the shown item's.
        """
        ballot = VoteInput.checked(
            annotator,
            choice,
            strength,
            seconds,
            note,
            edited,
            idempotency_key,
            turn,
            reasons,
            aspects,
        )
        return self.cast(project_id, item_id, ballot, shown_order)[0]

    def cast(
        self,
        project_id: str,
        item_id: int,
        ballot: VoteInput,
        shown_order: str | None = None,
        count: int = 0,
    ) -> tuple[VoteReceipt, Standing | None]:
        """Record a checked vote and, with `count`, assign the next items: one transaction."""
        with self._db.writing() as db:
            project = desk.lock_project(db, project_id)
            seen = side_order(project.seed, ballot.annotator, item_id, ballot.turn)
            receipt = vote_writes.record(db, project, item_id, ballot, shown_order or seen)
            if not count:
                return receipt, None
            return receipt, self._standing(db, project, ballot.annotator, count)

    def undo(
        self, project_id: str, annotator: str, idempotency_key: str | None = None
    ) -> ShownItem | None:
        """Take back this person's last vote not yet taken back; returns its item, or None.

        The item becomes the next one again, or, if an earlier vote on it existed, that one is
        current again. Both are recorded as a new version. A repeated key takes back nothing more.
        """
        annotator = vote_writes.checked_name(annotator)
        with self._db.writing() as db:
            project = desk.lock_project(db, project_id)
            key = vote_writes.checked_key(idempotency_key or vote_writes.fresh_key())
            taken = vote_writes.undo(db, project, annotator, key)
            return _shown(taken[0], project, annotator, taken[1]) if taken else None

    def progress(self, project_id: str, annotator: str) -> Progress:
        """Done, total, today's count, pace and the time of the last saved vote."""
        annotator = vote_writes.checked_name(annotator)
        with self._db.reading() as db:
            return _progress(db, desk.find_project(db, project_id), annotator)

    def ready(self, project_id: str) -> int:
        """Open items beyond the farthest annotator; with an overlap, all that are open."""
        with self._db.reading() as db:
            project = desk.find_project(db, project_id)
            farthest = sa.select(sa.func.max(annotators.c.cursor)).where(
                annotators.c.project_id == project_id
            )
            query = sa.select(sa.func.count()).where(
                items.c.project_id == project_id, items.c.open.is_(True)
            )
            if not project.overlap:
                query = query.where(items.c.position >= (db.scalar(farthest) or 0))
            return db.scalar(query) or 0

    def prompts_after(self, item: int) -> Iterator[tuple[int, list[Message]]]:
        """Ids and prompts of the pairs of all projects that were added after the pair `item`."""
        query = sa.select(items.c.id, items.c.prompt).where(items.c.id > item).order_by(items.c.id)
        with self._db.reading() as db:
            for row in db.execution_options(yield_per=1000).execute(query):
                yield row.id, row.prompt

    def open_for(self, annotator: str, wanted: Sequence[int]) -> bool:
        """Whether a person, empty for somebody unknown, may still be asked about one of these."""
        judged = sa.select(assignments.c.item_id).where(
            assignments.c.annotator == annotator, assignments.c.done.is_(True)
        )
        query = sa.select(items.c.id).where(
            items.c.id.in_(wanted[:_MOST_ASKED]),
            items.c.open.is_(True),
            items.c.retired.is_(False),
            items.c.id.not_in(judged),
        )
        with self._db.reading() as db:
            return db.execute(query.limit(1)).first() is not None

    def _standing(
        self, db: sa.Connection, project: Project, annotator: str, count: int
    ) -> Standing:
        if desk.holds(project):
            rows = desk.hold(db, project, annotator, count, self._lease)
        else:
            rows = desk.walk(db, project.id, annotator, count)
        shown = [_shown(row, project, annotator, row.turn) for row in rows]
        return Standing(shown, _progress(db, project, annotator), project.guideline_version)

    def newest(self) -> int:
        """The id of the last vote in any project, 0 before the first; it grows with every action,
        undoing and changing a vote included."""
        with self._db.reading() as db:
            return db.scalar(sa.select(sa.func.max(votes.c.id))) or 0

    def history(self, project_id: str, annotator: str, limit: int = 50) -> list[Vote]:
        """This person's current votes, newest first."""
        annotator = vote_writes.checked_name(annotator)
        query = (
            _current_votes(project_id)
            .where(votes.c.annotator == annotator)
            .order_by(votes.c.id.desc())
            .limit(limit)
        )
        with self._db.reading() as db:
            return [vote_writes.as_vote(row) for row in db.execute(query)]

    def versions(self, project_id: str, item_id: int) -> list[dict[str, Any]]:
        """The full record of one item, oldest first: every vote, change and undo."""
        query = (
            sa.select(votes)
            .where(votes.c.project_id == project_id, votes.c.item_id == item_id)
            .order_by(votes.c.id)
        )
        with self._db.reading() as db:
            return [dict(row) for row in db.execute(query).mappings()]

    # --- results ------------------------------------------------------------------------------

    def labelled_pairs(self, project_id: str) -> Iterator[JudgedItem]:
        """Every item in order of position, each with its current votes."""
        with self._db.reading() as db:
            desk.find_project(db, project_id)
            stored = db.execute(
                sa.select(items)
                .where(items.c.project_id == project_id, items.c.retired.is_(False))
                .order_by(items.c.position)
            ).all()
            current = db.execute(_current_votes(project_id).order_by(votes.c.item_id)).all()
            settled = db.execute(
                _current_votes(project_id, ADJUDICATION).order_by(votes.c.id)
            ).all()
        by_item = {
            item_id: tuple(vote_writes.as_vote(row) for row in rows)
            for item_id, rows in groupby(current, key=lambda row: row.item_id)
        }
        rulings = {row.item_id: vote_writes.as_vote(row) for row in settled}
        for row in stored:
            texts = (revived(row.prompt), row.answer_a, row.answer_b, row.source_a, row.source_b)
            yield JudgedItem(
                row.id, *texts, by_item.get(row.id, ()), row.sampled, rulings.get(row.id)
            )

    def sides(self) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
        """(project id, source a, source b) of every project's first item."""
        first = sa.select(sa.func.min(items.c.id)).group_by(items.c.project_id)
        query = sa.select(items.c.project_id, items.c.source_a, items.c.source_b).where(
            items.c.id.in_(first)
        )
        with self._db.reading() as db:
            return [(row.project_id, row.source_a, row.source_b) for row in db.execute(query)]

    def annotators(self) -> dict[str, list[str]]:
        """Who voted in each project, by its id: those with the most votes first."""
        count = sa.func.count(sa.distinct(votes.c.item_id))
        query = (
            sa.select(votes.c.project_id, votes.c.annotator)
            .where(votes.c.choice.is_not(None), votes.c.turn != ADJUDICATION)
            .group_by(votes.c.project_id, votes.c.annotator)
            .order_by(count.desc(), votes.c.annotator)
        )
        found: dict[str, list[str]] = {}
        with self._db.reading() as db:
            for row in db.execute(query):
                found.setdefault(row.project_id, []).append(row.annotator)
        return found

    def repeat_votes(self, project_id: str) -> list[tuple[Vote, Vote]]:
        """(first, repeat) current votes of an annotator on an item that was repeated."""
        again = _current_votes(project_id, turn=1)
        first = _current_votes(project_id).where(
            sa.tuple_(votes.c.item_id, votes.c.annotator).in_(
                sa.select(assignments.c.item_id, assignments.c.annotator).where(
                    assignments.c.project_id == project_id, assignments.c.turn == 1
                )
            )
        )
        with self._db.reading() as db:
            before = {(row.item_id, row.annotator): row for row in db.execute(first)}
            after = db.execute(again.order_by(votes.c.id)).all()
        return [
            (vote_writes.as_vote(before[key]), vote_writes.as_vote(row))
            for row in after
            if (key := (row.item_id, row.annotator)) in before
        ]

    def flagged(self, project_id: str) -> list[JudgedItem]:
        """Items that somebody flagged as broken, for the owner to look at."""
        judged = self.labelled_pairs(project_id)
        return [item for item in judged if any(vote.choice == "broken" for vote in item.votes)]

    def results(self, project_id: str) -> list[WinRate]:
        """Win rates between the sources that met (see `win_rates.tally`), most items first."""
        return tally(self.labelled_pairs(project_id))

    def export(self, project_id: str, format: str = "dpo", rule: Rule | None = None) -> Export:
        """Rows for DPO, KTO or reward training with an account of what was left out and why."""
        return export_items(self.labelled_pairs(project_id), format, rule)


def _progress(db: sa.Connection, project: Project, annotator: str) -> Progress:
    midnight = time.mktime((*time.localtime()[:3], 0, 0, 0, 0, 0, -1))
    who = {"project": project.id, "person": annotator}
    counts = db.execute(queries.COUNTS, who | {"midnight": midnight}).one()
    recent = db.execute(queries.NEWEST, who).all()
    paces, done = [row.seconds for row in recent if row.seconds > 0], counts.done or 0
    total, wanted = project.items, project.wanted
    if wanted is not None:  # what the others have not judged yet, and not more than one of each
        total = done + min(project.items - done, max(0, wanted - counts.together))
    return Progress(
        done=done,
        total=total,
        today=counts.today,
        seconds_each=statistics.median(paces) if paces else None,
        saved_at=recent[0].created if recent else None,
        together=counts.together if wanted is not None else None,
        wanted=wanted,
    )


def _current_votes(project_id: str, turn: int = 0) -> sa.Select[Any]:
    return (
        sa.select(votes)
        .join(assignments, assignments.c.vote_id == votes.c.id)
        .where(assignments.c.project_id == project_id, assignments.c.done.is_(True))
        .where(assignments.c.turn == turn)
    )


def _shown(row: sa.Row[Any], project: Project, annotator: str, turn: int) -> ShownItem:
    order = side_order(project.seed, annotator, row.id, turn)
    sides = [(row.answer_a, row.source_a), (row.answer_b, row.source_b)]
    (left, from_left), (right, from_right) = sides if order == "ab" else reversed(sides)
    thoughts = [
        str(source.get("reasoning") or "") if project.show_reasoning else ""
        for source in (from_left, from_right)
    ]
    texts = (revived(row.prompt), left, right)
    return ShownItem(row.project_id, row.id, *texts, order, turn, *thoughts)
