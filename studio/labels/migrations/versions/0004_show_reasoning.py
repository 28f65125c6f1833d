"""Whether annotators of a project may see what a model thought before it answered."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0004", "0003"


def upgrade() -> None:
    shows = sa.Column("show_reasoning", sa.Boolean, nullable=False, server_default=sa.false())
    op.add_column("projects", shows)
