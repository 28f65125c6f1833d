"""Which version of the studio recorded a vote; empty for votes of before."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column(
        "votes", sa.Column("studio_version", sa.String(40), nullable=False, server_default="")
    )
