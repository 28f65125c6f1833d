"""The tables of the vote store, as the newest migration leaves them (`migrations/versions`).

    projects     what is asked, of how many people, and the seeds behind every shuffle
    items        two answers to a prompt; `position` is the order in which they are asked
    votes        append-only: every vote, every change of mind and every undo is a new row
    assignments  per person and item: which row of `votes` is current, or until when the item is
                 held for this person (same transaction as the vote)
    annotators   per person and project: how far they have come (same transaction as the vote)

A change here needs a migration beside it; a test compares the two.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

metadata = sa.MetaData()
_BigId = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _refers_to(target: str, name: str, **more: Any) -> sa.Column[Any]:
    """A foreign key, of its target's type."""
    return sa.Column(name, None, sa.ForeignKey(target), **more)


projects = sa.Table(
    "projects",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("name", sa.String(120), nullable=False, unique=True),
    sa.Column("question", sa.Text, nullable=False),
    sa.Column("guidelines", sa.Text, nullable=False),
    sa.Column("guideline_version", sa.Integer, nullable=False),
    sa.Column("order", sa.String(10), nullable=False),
    sa.Column("seed", sa.Integer, nullable=False),
    sa.Column("items", sa.Integer, nullable=False),
    sa.Column("provenance", sa.JSON, nullable=False),
    sa.Column("created", sa.Float, nullable=False),
    # How many people judge an item; 0 is everyone.
    sa.Column("overlap", sa.Integer, nullable=False, server_default="0"),
    # After how many votes a person is asked about an earlier item again; 0 is never.
    sa.Column("repeat_every", sa.Integer, nullable=False, server_default="0"),
    sa.Column("aspects", sa.JSON, nullable=False, server_default="[]"),
    sa.Column("reasons", sa.JSON, nullable=False, server_default="[]"),
    # Items judged, each as often as people judged it: what `overlap` counts against.
    sa.Column("done", sa.Integer, nullable=False, server_default="0"),
    # Whether annotators may see what a model thought before it answered.
    sa.Column("show_reasoning", sa.Boolean, nullable=False, server_default=sa.false()),
)

items = sa.Table(
    "items",
    metadata,
    sa.Column("id", _BigId, primary_key=True),
    _refers_to("projects.id", "project_id", nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("prompt", sa.JSON, nullable=False),
    sa.Column("answer_a", sa.Text, nullable=False),
    sa.Column("answer_b", sa.Text, nullable=False),
    sa.Column("source_a", sa.JSON, nullable=False),
    sa.Column("source_b", sa.JSON, nullable=False),
    sa.Column("provenance", sa.JSON, nullable=False),
    sa.Column("created", sa.Float, nullable=False),
    # People who hold or have judged it; `open` is whether one more may.
    sa.Column("taken", sa.Integer, nullable=False, server_default="0"),
    sa.Column("open", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.Column("retired", sa.Boolean, nullable=False, server_default=sa.false()),
    # Drawn at random, not for what it may teach: what unbiased win rates are computed on.
    sa.Column("sampled", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.UniqueConstraint("project_id", "position"),
    sa.Index("items_open", "project_id", "open", "position"),
    sa.UniqueConstraint("project_id", "digest"),
    sqlite_autoincrement=True,
)

votes = sa.Table(
    "votes",
    metadata,
    sa.Column("id", _BigId, primary_key=True),
    _refers_to("projects.id", "project_id", nullable=False),
    _refers_to("items.id", "item_id", nullable=False),
    sa.Column("annotator", sa.String(80), nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("action", sa.String(8), nullable=False),  # "vote" or "undo"
    _refers_to("votes.id", "undoes", unique=True),
    _refers_to("votes.id", "replaces"),  # the version that was current before
    sa.Column("choice", sa.String(10)),  # null: an undo that leaves the item unlabelled
    sa.Column("strength", sa.Integer, nullable=False),
    sa.Column("order", sa.String(2), nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("edited", sa.Text, nullable=False),
    sa.Column("guideline_version", sa.Integer, nullable=False),
    sa.Column("idempotency_key", sa.String(100), nullable=False),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("turn", sa.Integer, nullable=False, server_default="0"),  # 1: asked once more
    sa.Column("reasons", sa.JSON, nullable=False, server_default="[]"),
    sa.Column("aspects", sa.JSON, nullable=False, server_default="{}"),
    sa.Column("studio_version", sa.String(40), nullable=False, server_default=""),
    sa.UniqueConstraint("item_id", "annotator", "version"),
    sa.UniqueConstraint("project_id", "annotator", "idempotency_key"),
    sa.Index("votes_by_person", "project_id", "annotator", "id"),
    sa.Index("votes_by_day", "project_id", "annotator", "created"),
    sqlite_autoincrement=True,
)

assignments = sa.Table(
    "assignments",
    metadata,
    _refers_to("items.id", "item_id", primary_key=True),
    sa.Column("annotator", sa.String(80), primary_key=True),
    sa.Column("turn", sa.Integer, primary_key=True, autoincrement=False),
    _refers_to("projects.id", "project_id", nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("done", sa.Boolean, nullable=False),
    _refers_to("votes.id", "vote_id"),  # null: held, never voted on
    sa.Column("claimed", sa.Float, nullable=False),
    sa.Column("leased_until", sa.Float),  # null: does not lapse
    sa.Index("assignments_by_person", "project_id", "annotator", "done", "position"),
    sa.Index("assignments_lapsing", "project_id", "done", "leased_until"),
)

annotators = sa.Table(
    "annotators",
    metadata,
    _refers_to("projects.id", "project_id", primary_key=True),
    sa.Column("annotator", sa.String(80), primary_key=True),
    sa.Column("cursor", sa.Integer, nullable=False),  # no unseen item lies before this position
    sa.Column("done", sa.Integer, nullable=False),
)
