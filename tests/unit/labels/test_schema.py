"""The tables of the code and those that the migrations make."""

from __future__ import annotations

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from studio.labels import database
from studio.labels.schema import metadata

DATABASES = ["sqlite", "postgresql"]


def test_the_migrations_end_at_the_tables_that_the_code_knows(url):
    engine = sa.create_engine(url)
    database.migrate(engine)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()
    assert ScriptDirectory(str(database._MIGRATIONS)).get_current_head() == database.HEAD
