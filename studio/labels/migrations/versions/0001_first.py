"""The first studio's tables: one person at a time, everyone judging every item."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_BigId = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _text(name: str, length: int | None = None) -> sa.Column[Any]:
    return sa.Column(name, sa.String(length) if length else sa.Text(), nullable=False)


def _number(name: str, kind: type[sa.types.TypeEngine[Any]] = sa.Integer) -> sa.Column[Any]:
    return sa.Column(name, kind(), nullable=False)


def upgrade() -> None:
    op.create_table("meta", sa.Column("key", sa.String(40), primary_key=True), _text("value"))
    op.create_table(
        "projects",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("name", sa.String(120), nullable=False, unique=True),
        _text("question"),
        _text("guidelines"),
        _number("guideline_version"),
        _text("order", 10),
        _number("seed"),
        _number("items"),
        _number("provenance", sa.JSON),
        _number("created", sa.Float),
    )
    op.create_table(
        "items",
        sa.Column("id", _BigId, primary_key=True),
        sa.Column("project_id", sa.String(40), sa.ForeignKey("projects.id"), nullable=False),
        _number("position"),
        _text("digest", 64),
        _number("prompt", sa.JSON),
        _text("answer_a"),
        _text("answer_b"),
        _number("source_a", sa.JSON),
        _number("source_b", sa.JSON),
        _number("provenance", sa.JSON),
        _number("created", sa.Float),
        sa.UniqueConstraint("project_id", "position"),
        sa.UniqueConstraint("project_id", "digest"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "votes",
        sa.Column("id", _BigId, primary_key=True),
        sa.Column("project_id", sa.String(40), sa.ForeignKey("projects.id"), nullable=False),
        sa.Column("item_id", _BigId, sa.ForeignKey("items.id"), nullable=False),
        _text("annotator", 80),
        _number("version"),
        _text("action", 8),
        sa.Column("undoes", _BigId, sa.ForeignKey("votes.id"), unique=True),
        sa.Column("replaces", _BigId, sa.ForeignKey("votes.id")),
        sa.Column("choice", sa.String(10)),
        _number("strength"),
        _text("order", 2),
        _number("seconds", sa.Float),
        _text("note"),
        _text("edited"),
        _number("guideline_version"),
        _text("idempotency_key", 100),
        _number("created", sa.Float),
        sa.UniqueConstraint("item_id", "annotator", "version"),
        sa.UniqueConstraint("project_id", "annotator", "idempotency_key"),
        sa.Index("votes_by_person", "project_id", "annotator", "id"),
        sa.Index("votes_by_day", "project_id", "annotator", "created"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "assignments",
        sa.Column("item_id", _BigId, sa.ForeignKey("items.id"), primary_key=True),
        sa.Column("annotator", sa.String(80), primary_key=True),
        sa.Column("project_id", sa.String(40), sa.ForeignKey("projects.id"), nullable=False),
        _number("position"),
        _number("done", sa.Boolean),
        sa.Column("vote_id", _BigId, sa.ForeignKey("votes.id"), nullable=False),
        sa.Index("assignments_by_person", "project_id", "annotator", "done", "position"),
    )
    op.create_table(
        "annotators",
        sa.Column("project_id", sa.String(40), sa.ForeignKey("projects.id"), primary_key=True),
        sa.Column("annotator", sa.String(80), primary_key=True),
        _number("cursor"),
        _number("done"),
    )
