"""How the votes' database is opened: SQLite by default, PostgreSQL by URL, migrated first.

SQLite runs in WAL mode with `synchronous=FULL`: when a commit returns, the vote is on disk.
Transactions that write start with BEGIN IMMEDIATE, so that two of them queue instead of deadlocking
on an upgrade. PostgreSQL keeps its default, `synchronous_commit=on`, which says the same.
"""

from __future__ import annotations

import contextlib
import sqlite3
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
_Identity = tuple[int, int]
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
        file = self._engine.url.database if one_writer else None
        self._file = Path(file) if file and file != ":memory:" else None
        self._opened: _Identity | None = None
        self._ready = False
        self._opening = threading.Lock()

    @contextlib.contextmanager
    def reading(self) -> Generator[sa.Connection]:
        """A transaction that sees one state of the database."""
        with self._said_plainly():
            self._opened_file()
            with self._engine.connect() as connection, connection.begin():
                yield connection

    @contextlib.contextmanager
    def writing(self) -> Generator[sa.Connection]:
        """A transaction that is on disk when the block has ended without an error.

        Raises `WorkspaceError`, and records nothing, where the database's file was removed or
        replaced meanwhile: what is open would be written to a file that nobody can find again.
        """
        with self._said_plainly():
            opened = self._opened_file()
            # SQLite lets one writer in and the others poll: here they queue, which is quicker.
            with self._turn, self._engine.connect() as plain:
                connection = plain.execution_options(writes=True)
                with connection.begin():
                    yield connection
                    if _identity(self._file) != opened:
                        raise WorkspaceError(
                            "The votes database was removed or replaced while the studio was "
                            "running. Nothing was recorded; it is opened again with the next vote. "
                            "Reload the page, and look whether the workspace is where it was."
                        )

    def damage(self) -> list[str]:
        """What SQLite finds wrong with its file, and rows that refer to rows that are gone."""
        with self.reading() as connection:
            if self._file is None:
                return []
            found = connection.exec_driver_sql("PRAGMA quick_check(5)").scalars().all()
            loose = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
        problems = [f"The database is damaged: {one}." for one in found if one != "ok"]
        if loose:
            table, row, parent = loose[0][:3]
            first = f"such as row {row} of {table}, whose {parent} is gone"
            problems.append(f"{len(loose)} rows refer to nothing, {first}.")
        advice = "Keep a copy of votes.db, and restore it from a backup."
        return [f"{problem} {advice}" for problem in problems]

    def copy_to(self, path: Path) -> bool:
        """Copy SQLite's database as it is now, while others write; False where a server has it."""
        with self.reading():
            if self._file is None:
                return False
        with (
            contextlib.closing(sqlite3.connect(self._file)) as source,
            contextlib.closing(sqlite3.connect(path)) as target,
        ):
            source.backup(target)
        return True

    def close(self) -> None:
        self._engine.dispose()

    def _opened_file(self) -> _Identity | None:
        """Open and migrate the database, again where its file is another one; the file's identity.

        It is read before a connection is taken, so that it can only be too old: then the commit is
        refused.
        """
        with self._opening:
            if self._ready and _identity(self._file) != self._opened:
                self._engine.dispose()
                self._ready = False
            if not self._ready:
                migrate(self._engine)
                self._opened = _identity(self._file)
                self._ready = True
            return self._opened

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


def _identity(file: Path | None) -> _Identity | None:
    """Device and inode of a file; None where there is none, or the database is a server's."""
    try:
        found = file.stat() if file else None
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if found else None


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
