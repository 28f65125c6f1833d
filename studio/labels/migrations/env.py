"""Alembic's entry: the migrations run on the connection, and in the transaction, handed to them."""

from __future__ import annotations

from alembic import context

from studio.labels.schema import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
context.run_migrations()
