"""Runs and prepared data backed up to the Hub, for a disk that does not persist; votes are in
`studio.labels.votes_backup`.

`STUDIO_RUNS_REPO=owner/name` turns it on: a private repository receives every finished run and
every prepared dataset, in folders as in the workspace, and fills an empty workspace at start.
Checkpoints are left out: they only serve to resume, and are many times as large.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from studio.core import hub
from studio.core.hub_backup import EVERY, Backup
from studio.core.workspace import Workspace, write_json

if TYPE_CHECKING:
    from studio.runs.store import RunStore

_LEFT_OUT = ("checkpoints", "lock", "stop")
_RECORD = {"runs": "run.json", "datasets": "dataset.json"}
_KINDS = ("", ".json", ".jsonl", ".yaml", ".safetensors", ".parquet", ".jinja", ".md", ".txt")
_KINDS += (".model",)
"""Suffixes of files that are restored: never a pickle, never code."""


class RunBackup(Backup):
    """Backs up a workspace's finished runs and prepared datasets, and restores an empty one."""

    def __init__(self, workspace: Workspace, runs: RunStore, repo: str, every: float = EVERY):
        super().__init__(repo, workspace.home / "runs-copied.json", every)
        self._workspace, self._runs = workspace, runs

    def push(self) -> int:
        """Push folders that are new or changed, remove those deleted here; returns how many."""
        with self._turn:
            began = time.time()
            notes = self._read()
            copied: dict[str, float] = notes.get("copied", {})
            here = dict(self._folders())
            fresh = [name for name, changed in here.items() if copied.get(name) != changed]
            for name in fresh:
                self._send(name)
                copied[name] = here[name]
                write_json(self._notes, {**notes, "copied": copied})
            gone = [name for name in copied if not (self._workspace.home / name).exists()]
            if gone:
                hub.send([], self.repo, gone=gone, message="Remove deleted folders")
            copied = {name: changed for name, changed in copied.items() if name not in gone}
            write_json(self._notes, {"safe": began, "copied": copied})
            return len(fresh) + len(gone)

    def restore(self) -> int:
        """Fill a workspace that has neither runs nor datasets; returns how many folders.

        A repository that does not exist yet is nothing to restore. Raises `StudioError` where the
        Hub cannot be read.
        """
        if any(True for kind in _RECORD for _ in (self._workspace.home / kind).iterdir()):
            return 0
        snapshot = self._snapshot(*(f"{kind}/*" for kind in _RECORD))
        if snapshot is None:
            return 0
        folders = [
            folder for kind in _RECORD for folder in (snapshot / kind).glob("*") if folder.is_dir()
        ]
        for folder in folders:
            self._restore_folder(folder)
        write_json(self._notes, {"safe": time.time(), "copied": dict(self._folders())})
        return len(folders)

    def _folders(self) -> Iterator[tuple[str, float]]:
        """(`runs/<id>` or `datasets/<id>`, its last change) of everything to back up."""
        runs = (run for run in self._runs.list() if not run.live)
        ended = {run.id for run in runs if run.adapter or run.weights}
        for kind, record in _RECORD.items():
            for path in sorted((self._workspace.home / kind).glob(f"*/{record}")):
                name = path.parent.name
                if not name.startswith(".") and (kind == "datasets" or name in ended):
                    yield f"{kind}/{name}", _changed(path.parent)

    def _send(self, name: str) -> None:
        folder = self._workspace.home / name
        files = [
            (f"{name}/{each}", folder / each)
            for each, _ in hub.preview(folder)
            if PurePosixPath(each).parts[0] not in _LEFT_OUT
        ]
        hub.send(files, self.repo, message=f"Back up {name}")

    def _restore_folder(self, source: Path) -> None:
        """One folder of a snapshot, whole or not at all."""
        target = self._workspace.folder(source.parent.name, source.name)
        part = target.with_name(f".{source.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        shutil.copytree(source, part, ignore=_unwanted)
        part.rename(target)


def _unwanted(folder: str, names: list[str]) -> list[str]:
    """Files of a snapshot that are not restored."""
    return [
        name
        for name in names
        if PurePosixPath(name).suffix not in _KINDS and not Path(folder, name).is_dir()
    ]


def _changed(folder: Path) -> float:
    files = (path for path in folder.iterdir() if path.is_file() and path.name not in _LEFT_OUT)
    return max(path.stat().st_mtime for path in files)


def run_backup_for(workspace: Workspace, runs: RunStore) -> RunBackup | None:
    """The backup that `STUDIO_RUNS_REPO` asks for, None where it is not set."""
    repo = os.environ.get("STUDIO_RUNS_REPO")
    return RunBackup(workspace, runs, repo) if repo else None


def is_ephemeral_disk(home: Path) -> bool:
    """Whether a restart empties the workspace's disk: that of a Space, outside /data."""
    return "SPACE_ID" in os.environ and not home.resolve().is_relative_to("/data")
