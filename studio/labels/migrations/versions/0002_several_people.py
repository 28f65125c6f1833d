"""Several people on one project: overlap, items held for a while, repeats, reasons, aspects."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_BigId = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _whole(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Integer(), nullable=False, server_default="0")


def _list(name: str, empty: str = "[]") -> sa.Column[Any]:
    return sa.Column(name, sa.JSON(), nullable=False, server_default=empty)


def _flag(name: str, value: bool) -> sa.Column[Any]:
    default = sa.true() if value else sa.false()
    return sa.Column(name, sa.Boolean(), nullable=False, server_default=default)


def upgrade() -> None:
    for column in (_whole("overlap"), _whole("repeat_every"), _list("aspects"), _list("reasons")):
        op.add_column("projects", column)
    op.add_column("projects", _whole("done"))
    op.add_column("items", _whole("taken"))
    for column in (_flag("open", True), _flag("retired", False), _flag("sampled", True)):
        op.add_column("items", column)
    op.create_index("items_open", "items", ["project_id", "open", "position"])
    for column in (_whole("turn"), _list("reasons"), _list("aspects", "{}")):
        op.add_column("votes", column)
    _remake_assignments()
    connection = op.get_bind()
    for sql in (
        "UPDATE projects SET done = (SELECT count(*) FROM assignments"
        " WHERE assignments.project_id = projects.id AND assignments.done)",
        "UPDATE items SET taken = (SELECT count(*) FROM assignments"
        " WHERE assignments.item_id = items.id)",
    ):
        connection.execute(sa.text(sql))
    op.drop_table("meta")


def _remake_assignments() -> None:
    """A new table and a copy: SQLite changes neither a primary key nor what may be null."""
    op.drop_index("assignments_by_person", "assignments")
    op.rename_table("assignments", "assignments_before")
    op.create_table(
        "assignments",
        sa.Column("item_id", _BigId, sa.ForeignKey("items.id"), primary_key=True),
        sa.Column("annotator", sa.String(80), primary_key=True),
        sa.Column("turn", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("project_id", sa.String(40), sa.ForeignKey("projects.id"), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("done", sa.Boolean(), nullable=False),
        sa.Column("vote_id", _BigId, sa.ForeignKey("votes.id")),
        sa.Column("claimed", sa.Float(), nullable=False),
        sa.Column("leased_until", sa.Float()),
        sa.Index("assignments_by_person", "project_id", "annotator", "done", "position"),
        sa.Index("assignments_lapsing", "project_id", "done", "leased_until"),
    )
    kept = "item_id, annotator, project_id, position, done, vote_id"
    op.get_bind().execute(
        sa.text(
            f"INSERT INTO assignments ({kept}, turn, claimed)"
            f" SELECT {kept}, 0, 0 FROM assignments_before"
        )
    )
    op.drop_table("assignments_before")
