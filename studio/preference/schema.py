"""The tables of the vote store and how a database is opened: SQLite by default, PostgreSQL by URL.

    meta         schema version
    projects     what is asked, and the seeds behind every shuffle
    items        two answers to a prompt; `position` is the order in which they are asked
    votes        append-only: every vote, every change of mind and every undo is a new row
    assignments  per person and item: which row of `votes` is current (derived, same transaction)
    annotators   per person and project: how far they have come (derived, same transaction)

SQLite runs in WAL mode with `synchronous=FULL`: when a commit returns, the vote is on disk.
Transactions that write start with BEGIN IMMEDIATE, so that two of them queue instead of deadlocking
on an upgrade.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event, exc

from studio.errors import WorkspaceError

SCHEMA_VERSION = 1

metadata = sa.MetaData()
_BigId = sa.BigInteger().with_variant(sa.Integer, "sqlite")

meta = sa.Table(
    "meta",
    metadata,
    sa.Column("key", sa.String(40), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)

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
)

items = sa.Table(
    "items",
    metadata,
    sa.Column("id", _BigId, primary_key=True),
    sa.Column("project_id", sa.ForeignKey("projects.id"), nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("prompt", sa.JSON, nullable=False),
    sa.Column("answer_a", sa.Text, nullable=False),
    sa.Column("answer_b", sa.Text, nullable=False),
    sa.Column("source_a", sa.JSON, nullable=False),
    sa.Column("source_b", sa.JSON, nullable=False),
    sa.Column("provenance", sa.JSON, nullable=False),
    sa.Column("created", sa.Float, nullable=False),
    sa.UniqueConstraint("project_id", "position"),
    sa.UniqueConstraint("project_id", "digest"),
    sqlite_autoincrement=True,
)

votes = sa.Table(
    "votes",
    metadata,
    sa.Column("id", _BigId, primary_key=True),
    sa.Column("project_id", sa.ForeignKey("projects.id"), nullable=False),
    sa.Column("item_id", sa.ForeignKey("items.id"), nullable=False),
    sa.Column("annotator", sa.String(80), nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("action", sa.String(8), nullable=False),  # "vote" or "undo"
    sa.Column("undoes", sa.ForeignKey("votes.id"), unique=True),
    sa.Column("replaces", sa.ForeignKey("votes.id")),  # the version that was current before
    sa.Column("choice", sa.String(10)),  # null: an undo that leaves the item unlabelled
    sa.Column("strength", sa.Integer, nullable=False),
    sa.Column("order", sa.String(2), nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("edited", sa.Text, nullable=False),
    sa.Column("guideline_version", sa.Integer, nullable=False),
    sa.Column("idempotency_key", sa.String(100), nullable=False),
    sa.Column("created", sa.Float, nullable=False),
    sa.UniqueConstraint("item_id", "annotator", "version"),
    sa.UniqueConstraint("project_id", "annotator", "idempotency_key"),
    sa.Index("votes_by_person", "project_id", "annotator", "id"),
    sa.Index("votes_by_day", "project_id", "annotator", "created"),
    sqlite_autoincrement=True,
)

assignments = sa.Table(
    "assignments",
    metadata,
    sa.Column("item_id", sa.ForeignKey("items.id"), primary_key=True),
    sa.Column("annotator", sa.String(80), primary_key=True),
    sa.Column("project_id", sa.ForeignKey("projects.id"), nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("done", sa.Boolean, nullable=False),
    sa.Column("vote_id", sa.ForeignKey("votes.id"), nullable=False),
    sa.Index("assignments_by_person", "project_id", "annotator", "done", "position"),
)

annotators = sa.Table(
    "annotators",
    metadata,
    sa.Column("project_id", sa.ForeignKey("projects.id"), primary_key=True),
    sa.Column("annotator", sa.String(80), primary_key=True),
    sa.Column("cursor", sa.Integer, nullable=False),  # no unseen item lies before this position
    sa.Column("done", sa.Integer, nullable=False),
)


class Database:
    """An engine opened at first use, with `reading()` and `writing()` transactions."""

    def __init__(self, url: str):
        self.url = url
        try:
            self._engine = _make_engine(url)
        except (exc.ArgumentError, exc.NoSuchModuleError, ModuleNotFoundError) as error:
            raise WorkspaceError(
                f"The database URL cannot be used: {error}. "
                "Use sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME."
            ) from error
        self._ready = False

    @contextlib.contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A transaction that sees one state of the database."""
        with self._said_plainly():
            self._prepare_once()
            with self._engine.connect() as connection, connection.begin():
                yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction that is on disk when the block has ended without an error."""
        with self._said_plainly():
            self._prepare_once()
            with self._engine.connect() as plain:
                connection = plain.execution_options(writes=True)
                with connection.begin():
                    yield connection

    def close(self) -> None:
        self._engine.dispose()

    def _prepare_once(self) -> None:
        if not self._ready:
            try:
                prepare(self._engine)
            except (
                exc.IntegrityError,
                exc.ProgrammingError,
            ):  # another process was making the tables; they are there now
                prepare(self._engine)
            self._ready = True

    @contextlib.contextmanager
    def _said_plainly(self) -> Iterator[None]:
        try:
            yield
        except exc.IntegrityError:  # a rule of ours: whoever asked knows what it means
            raise
        except (exc.DatabaseError, exc.TimeoutError) as error:
            why = str(getattr(error, "orig", error)).strip()
            raise WorkspaceError(
                f"The votes database could not be used ({why}). Nothing was "
                "recorded; check free space and permissions of the workspace, then try again."
            ) from error


def prepare(engine: sa.Engine) -> None:
    """Make the tables where there are none; refuse a database of a newer studio."""
    with engine.connect() as plain:
        connection = plain.execution_options(writes=True)
        with connection.begin():
            metadata.create_all(connection)
            version = connection.scalar(sa.select(meta.c.value).where(meta.c.key == "schema"))
            if version is None:
                connection.execute(meta.insert().values(key="schema", value=str(SCHEMA_VERSION)))
            elif int(version) > SCHEMA_VERSION:
                raise WorkspaceError(
                    f"The votes database has schema {version}, this studio knows {SCHEMA_VERSION}. "
                    "Use the newer studio that made it."
                )


def _make_engine(url: str) -> sa.Engine:
    if not url.startswith("sqlite"):
        return sa.create_engine(url, pool_pre_ping=True, pool_size=10, max_overflow=20)
    engine = sa.create_engine(url, pool_size=10, max_overflow=30, connect_args={"timeout": 15})
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _configure_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves
    for pragma in ("busy_timeout=15000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
