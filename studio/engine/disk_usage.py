"""Disk usage of the workspace, and what of it is no longer needed."""

from __future__ import annotations

import shutil
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from studio.core.workspace import Workspace
from studio.runs import checkpoints
from studio.runs.store import RESUMABLE, Run

_OLD_PART = 86400.0  # seconds after which an incomplete export is abandoned


@dataclass(frozen=True)
class Waste:
    """Something a clean-up may remove, and what it is."""

    path: Path
    what: str
    bytes: int


def usage(workspace: Workspace) -> dict[str, int]:
    """Bytes of each part of the workspace, and bytes free on its disk."""
    parts = {
        "runs": workspace.runs,
        "exports": workspace.exports,
        "datasets": workspace.datasets,
        "uploads": workspace.uploads,
        "cache": workspace.cache,
        "trash": workspace.trash,
    }
    found = {name: size_of(folder) for name, folder in parts.items()}
    found["votes"] = sum(path.stat().st_size for path in workspace.home.glob("votes.db*"))
    return found | {"free": workspace.free_bytes()}


def waste(workspace: Workspace, runs: Sequence[Run], starred: Collection[str]) -> list[Waste]:
    """Older checkpoints of finished runs, caches, unfinished exports, and the trash.

    A resumable run keeps every checkpoint, `starred` ones (`RUN@STEP`) stay, and caches stay while
    a run is live.
    """
    found = [one for run in runs for one in _old_checkpoints(run, starred)]
    if not any(run.live for run in runs):
        caches = [path for path in workspace.cache.iterdir() if path.name != "page"]
        found += [Waste(path, f"cache {path.name}", size_of(path)) for path in caches]
    for path in workspace.exports.glob(".*.part-*"):
        if time.time() - path.stat().st_mtime > _OLD_PART:
            found.append(Waste(path, "an unfinished export", size_of(path)))
    if workspace.trash.is_dir():
        gone = list(workspace.trash.iterdir())
        found += [Waste(path, f"{path.name} in the trash", size_of(path)) for path in gone]
    return [one for one in found if one.bytes]


def _old_checkpoints(run: Run, starred: Collection[str]) -> list[Waste]:
    if run.live or run.state in RESUMABLE or not (run.adapter or run.weights):
        return []
    newest = checkpoints.newest(run.checkpoints)
    if newest is None:
        return []
    kept = [path for path in run.checkpoints.iterdir() if path.is_dir() and path != newest]
    old = [path for path in kept if f"{run.id}@{checkpoints.step_of(path)}" not in starred]
    return [Waste(path, f"{path.name} of {run.name}", size_of(path)) for path in old]


def remove(found: Iterable[Waste]) -> int:
    """Delete these; the bytes freed."""
    freed = 0
    for one in found:
        if one.path.is_dir():
            shutil.rmtree(one.path)
        else:
            one.path.unlink(missing_ok=True)
        freed += one.bytes
    return freed


def size_of(folder: Path) -> int:
    """Bytes of the files under a folder; 0 if it does not exist. Links are not followed."""
    if not folder.is_dir():
        return folder.stat().st_size if folder.is_file() else 0
    return sum(
        path.lstat().st_size
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    )
