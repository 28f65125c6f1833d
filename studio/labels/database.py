"""How the votes' database is opened: SQLite by default, PostgreSQL by URL, migrated first.

SQLite runs in WAL mode with `synchronous=FULL`: when a commit returns, the vote is on disk.
Transactions that write start with BEGIN IMMEDIATE, so that two of them queue instead of deadlocking
on an upgrade. PostgreSQL keeps its default, `synchronous_commit=on`, which says the same.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event, exc

from studio.core.errors import WorkspaceError

_MIGRATIONS = Path(__file__).parent / "migrations"
#: The newest migration; a database that stands there is opened without loading Alembic.
HEAD = max(path.stem for path in (_MIGRATIONS / "versions").glob("*.py"))[:4]
_LOCK = 7_041_776  # any number, the same for every studio: PostgreSQL's lock while migrating


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
        one_writer = url.startswith("sqlite")
        self._turn = threading.Lock() if one_writer else contextlib.nullcontext()
        self._ready = False

    @contextlib.contextmanager
    def reading(self) -> Generator[sa.Connection]:
        """A transaction that sees one state of the database."""
        with self._said_plainly():
            self._prepare_once()
            with self._engine.connect() as connection, connection.begin():
                yield connection

    @contextlib.contextmanager
    def writing(self) -> Generator[sa.Connection]:
        """A transaction that is on disk when the block has ended without an error."""
        with self._said_plainly():
            self._prepare_once()
            # SQLite lets one writer in and the others poll: here they queue, which is quicker.
            with self._turn, self._engine.connect() as plain:
                connection = plain.execution_options(writes=True)
                with connection.begin():
                    yield connection

    def close(self) -> None:
        self._engine.dispose()

    def _prepare_once(self) -> None:
        if not self._ready:
            migrate(self._engine)
            self._ready = True

    @contextlib.contextmanager
    def _said_plainly(self) -> Generator[None]:
        try:
            yield
        except exc.IntegrityError:  # a rule of ours: whoever asked knows what it means
            raise
        except (exc.DatabaseError, exc.TimeoutError) as error:
            why = str(getattr(error, "orig", error)).strip().partition("\n")[0]
            raise WorkspaceError(
                f"The votes database could not be used ({why}). Nothing was "
                "recorded; check free space and permissions of the workspace, then try again."
            ) from error


def migrate(engine: sa.Engine, target: str = HEAD) -> None:
    """Bring the tables to `target` in one transaction; refuse a database of a newer studio."""
    if _revision(engine) == target:
        return
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    with engine.connect() as plain:
        connection = plain.execution_options(writes=True)
        with connection.begin():
            if engine.dialect.name == "postgresql":  # another process may be doing the same
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
            config = Config()
            config.set_main_option("script_location", str(_MIGRATIONS))
            config.attributes["connection"] = connection
            try:
                if _made_before_migrations(connection):
                    command.stamp(config, "0001")
                command.upgrade(config, target)
            except CommandError as error:
                raise WorkspaceError(
                    f"The votes database is of another studio's making ({error}). "
                    "Use the newer studio that wrote it."
                ) from error


def _revision(engine: sa.Engine) -> str | None:
    with engine.connect() as connection, connection.begin():
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        return connection.scalar(sa.text("SELECT version_num FROM alembic_version"))


def _made_before_migrations(connection: sa.Connection) -> bool:
    """A database of the first studio, which wrote its version into a table of its own."""
    found = sa.inspect(connection)
    return found.has_table("meta") and not found.has_table("alembic_version")


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
