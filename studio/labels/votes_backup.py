"""Votes backed up to a private Hub dataset as immutable segments, for a disk that does not persist.

`STUDIO_VOTES_REPO=owner/name` turns it on. Every few minutes what is new since the last segment
(changed projects, new items, new versions of votes) becomes one more JSONL file, never changed
again; at start an empty database is filled from all of them, in order. Progress is kept per
project, because writers of one project queue: below its newest vote nothing is still uncommitted.
"""

from __future__ import annotations

import itertools
import json
import os
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from studio.core import hub
from studio.core.hub_backup import EVERY, Backup
from studio.core.workspace import write_json
from studio.labels.projects import ProjectStore
from studio.labels.recount import rebuild
from studio.labels.schema import items, projects, votes

_FOLDER = "segments/"
_TABLES: dict[str, sa.Table] = {"projects": projects, "items": items, "votes": votes}
_NOWHERE = {"items": 0, "votes": 0}


class VotesBackup(Backup):
    """Backs up a store's votes to a dataset on the Hub, and restores an empty store."""

    kind = "dataset"

    def __init__(self, store: ProjectStore, repo: str, notes: Path, every: float = EVERY):
        super().__init__(repo, notes, every)
        self._store = store

    def push(self) -> int:
        """Push what is new as a segment; returns its number of rows."""
        with self._turn:
            began = time.time()
            notes = self._read()
            lines, reached = self._fresh(notes.get("reached", {}))
            if lines:
                self._upload(f"{_FOLDER}{int(began * 1000):015d}.jsonl", lines)
            write_json(self._notes, {"safe": began, "reached": reached})
            return len(lines)

    def restore(self) -> int:
        """Fill an empty store from the Hub; returns how many votes.

        A dataset that does not exist yet is nothing to restore. Raises `StudioError` where the Hub
        cannot be read.
        """
        if self._store.projects():
            return 0
        found: dict[str, dict[Any, dict[str, Any]]] = {name: {} for name in _TABLES}
        for line in self._download():
            found[line["table"]][line["row"]["id"]] = line["row"]
        if not found["projects"]:
            return 0
        with self._store.writing() as db:
            for name, table in _TABLES.items():
                rows = [found[name][key] for key in sorted(found[name])]
                # Rows of before a migration lack its columns, which the database then fills.
                for _, alike in itertools.groupby(rows, key=lambda row: row.keys()):
                    db.execute(table.insert(), list(alike))
            for project_id in found["projects"]:
                rebuild(db, project_id)
            if db.dialect.name == "postgresql":
                for table in ("items", "votes"):
                    newest = f"(SELECT max(id) FROM {table})"
                    name = f"pg_get_serial_sequence('{table}', 'id')"
                    db.execute(sa.text(f"SELECT setval({name}, {newest}) WHERE {newest} > 0"))
        with self._store.reading() as db:
            _, reached = self._since(db, {})
        write_json(self._notes, {"safe": time.time(), "reached": reached})
        return len(found["votes"])

    # --- what is new

    def _fresh(self, reached: dict[str, Any]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        with self._store.reading() as db:
            return self._since(db, reached)

    def _since(
        self, db: sa.Connection, reached: dict[str, Any]
    ) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Rows beyond what was reached, and what is then reached, by project."""
        lines: list[dict[str, Any]] = []
        now: dict[str, Any] = {}
        for project in db.execute(sa.select(projects)).mappings():
            before = {**_NOWHERE, **reached.get(project["id"], {})}
            after = dict(before)
            fresh: list[dict[str, Any]] = []
            for name in ("items", "votes"):
                table = _TABLES[name]
                query = sa.select(table).where(
                    table.c.project_id == project["id"], table.c.id > before[name]
                )
                rows = [dict(row) for row in db.execute(query.order_by(table.c.id)).mappings()]
                fresh += [{"table": name, "row": row} for row in rows]
                after[name] = max([before[name], *(row["id"] for row in rows)])
            retired = sa.select(items).where(
                items.c.project_id == project["id"], items.c.retired.is_(True)
            )
            gone = [dict(row) for row in db.execute(retired).mappings()]
            if len(gone) != before.get("retired", 0):  # removed since: their rows are sent again
                fresh += [{"table": "items", "row": row} for row in gone]
            after |= {"retired": len(gone), "guidelines": project["guideline_version"]}
            if fresh or after != before:
                lines += [{"table": "projects", "row": dict(project)}, *fresh]
            now[project["id"]] = after
        return lines, now

    # --- the Hub

    def _upload(self, name: str, lines: list[dict[str, Any]]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "segment.jsonl")
            text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
            path.write_text(text, encoding="utf-8")
            hub.send([(name, path)], self.repo, kind="dataset", message="Add a segment of votes")

    def _download(self) -> Iterable[dict[str, Any]]:
        """Every line of every segment, oldest first."""
        folder = self._snapshot(f"{_FOLDER}*")
        for path in sorted(folder.glob(f"{_FOLDER}*")) if folder else ():
            for line in path.read_text(encoding="utf-8").split("\n"):
                if line:
                    yield json.loads(line)


def votes_backup_for(store: ProjectStore, home: Path) -> VotesBackup | None:
    """The backup that `STUDIO_VOTES_REPO` asks for, None where it is not set."""
    repo = os.environ.get("STUDIO_VOTES_REPO")
    return VotesBackup(store, repo, home / "votes-copied.json") if repo else None
