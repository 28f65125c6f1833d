"""Runs and prepared data backed up to the Hub, for a disk that does not persist; votes are in
`studio.labels.votes_backup`.

`STUDIO_RUNS_REPO=owner/name` turns it on: a private repository receives every finished run and
every prepared dataset, in folders as in the workspace, and fills an empty workspace at start. Of a
run that is not finished it receives the newest complete checkpoint, so that it resumes on a new
disk, unless `STUDIO_RUNS_CHECKPOINTS=0`: a checkpoint is many times as large as its adapter.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from studio.core import hub
from studio.core.hub_backup import EVERY, Backup
from studio.core.workspace import Workspace, write_json
from studio.runs import checkpoints

if TYPE_CHECKING:
    from studio.runs.store import Run, RunStore

log = logging.getLogger(__name__)

_LEFT_OUT = ("checkpoints", "lock", "stop")
_RECORD = {"runs": "run.json", "datasets": "dataset.json"}
_KINDS = ("", ".json", ".jsonl", ".yaml", ".safetensors", ".parquet", ".jinja", ".md", ".txt")
_KINDS += (".model",)
"""Suffixes of files that are restored: never a pickle, never code."""
_STATES = (".pt", ".pth")
"""Of a checkpoint also these: the Trainer reads them as tensors and plain values only
(`torch.load(weights_only=True)`)."""


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
            kept, sent = self._push_checkpoints(notes.get("checkpoints", {}))
            write_json(self._notes, {"safe": began, "copied": copied, "checkpoints": kept})
            return len(fresh) + len(gone) + sent

    def _push_checkpoints(self, kept: dict[str, list[Any]]) -> tuple[dict[str, list[Any]], int]:
        """Push the newest checkpoint of every unfinished run that has a new one.

        `kept` maps a run to the step and the state that the Hub has; returned as it is now, with
        the number of runs that were sent or removed.
        """
        going = {run.id: (run, found) for run, found in self._unfinished()}
        sent = 0
        for run_id, (run, found) in going.items():
            now, before = [checkpoints.step_of(found), run.state], kept.get(run_id)
            earlier = int(before[0]) if before else None
            if now != before and self._send_unfinished(run, found, earlier):
                kept, sent = {**kept, run_id: now}, sent + 1
        for run_id in [each for each in kept if each not in going]:
            there = (self._workspace.home / "runs" / run_id).exists()
            folder = f"runs/{run_id}/checkpoints" if there else f"runs/{run_id}"
            hub.send([], self.repo, gone=[folder], message="Remove a checkpoint")
            kept, sent = {each: kept[each] for each in kept if each != run_id}, sent + 1
        return kept, sent

    def _unfinished(self) -> Iterator[tuple[Run, Path]]:
        """Runs without a result that trained here, each with its newest complete checkpoint."""
        if os.environ.get("STUDIO_RUNS_CHECKPOINTS", "1") in ("0", "false", "no"):
            return
        for run in self._runs.list():
            found = checkpoints.newest(run.checkpoints)
            if found is not None and not (run.adapter or run.weights or run.job):
                yield run, found

    def _send_unfinished(self, run: Run, checkpoint: Path, before: int | None) -> bool:
        """Push a run's own files and a checkpoint; false where the run removed it meanwhile."""
        name, step = f"runs/{run.id}", checkpoints.step_of(checkpoint)
        with tempfile.TemporaryDirectory() as held:
            files: list[tuple[str, Path]] = []
            for path in sorted(run.folder.iterdir()):  # a log that grows is sent as it is now
                if path.is_file() and path.name not in _LEFT_OUT and path.suffix in _KINDS:
                    copy = Path(shutil.copyfile(path, Path(held) / path.name))
                    files.append((f"{name}/{path.name}", copy))
            try:
                parts = _parts(checkpoint, Path(held) / "manifest")
            except FileNotFoundError:
                return False
            if not parts:
                return False
            place = f"{name}/checkpoints/{checkpoint.name}"
            files += [(f"{place}/{each}", path) for each, path in parts]
            old = [] if before in (None, step) else [f"{name}/checkpoints/checkpoint-{before}"]
            try:
                hub.send(files, self.repo, gone=old, message=f"Back up {name} at step {step}")
            except FileNotFoundError:  # the Trainer keeps a few checkpoints only: the next one then
                log.info("%s went while it was backed up", place)
                return False
        return True

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
        kept: dict[str, list[Any]] = {}
        for run, found in self._unfinished():
            kept[run.id] = [checkpoints.step_of(found), run.state]
            if run.state == "interrupted":  # it was training when its disk was lost
                self._runs.update(run.id, was="interrupted", state="queued", ended=None)
        notes = {"safe": time.time(), "copied": dict(self._folders()), "checkpoints": kept}
        write_json(self._notes, notes)
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


def _parts(checkpoint: Path, manifest: Path) -> list[tuple[str, Path]]:
    """A checkpoint's files by name, without `training_args.bin`, a pickle that nothing reads.

    The manifest is written anew without it. Empty for a checkpoint of other files, such as one that
    is divided among processes.
    """
    told = json.loads((checkpoint / checkpoints.MANIFEST).read_text(encoding="utf-8"))
    names = [name for name in told["files"] if name != "training_args.bin"]
    if any(PurePosixPath(name).suffix not in (*_KINDS, *_STATES) for name in names):
        return []
    for part in ("files", "digests"):
        told[part] = {name: told[part][name] for name in names if name in told.get(part, {})}
    write_json(manifest, told)
    return [*((name, checkpoint / name) for name in names), (checkpoints.MANIFEST, manifest)]


def _unwanted(folder: str, names: list[str]) -> list[str]:
    """Files of a snapshot that are not restored."""
    place = Path(folder)
    state = checkpoints.step_of(place) >= 0 and place.parent.name == "checkpoints"
    kinds = (*_KINDS, *_STATES) if state else _KINDS
    return [
        name
        for name in names
        if PurePosixPath(name).suffix not in kinds and not Path(folder, name).is_dir()
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
