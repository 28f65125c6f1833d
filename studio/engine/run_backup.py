"""Safe copies on the Hub of what lies on a disk that may vanish: runs and prepared data here, votes
in `studio.labels.votes_backup`.

`STUDIO_RUNS_REPO=owner/name` turns this on: a private repository that gets every ended run with
what it learned and every prepared dataset, in folders as in the workspace, and fills an empty
workspace at start. Checkpoints stay here, they are for going on with and many times as large.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from studio.core import hub
from studio.core.hub_backup import EVERY, Copies
from studio.core.workspace import Workspace, write_json

if TYPE_CHECKING:
    from studio.runs.store import RunStore

_LEFT_OUT = ("checkpoints", "lock", "stop")
_RECORD = {"runs": "run.json", "datasets": "dataset.json"}
_KINDS = {
    "",
    ".json",
    ".jsonl",
    ".yaml",
    ".safetensors",
    ".parquet",
    ".jinja",
    ".md",
    ".txt",
    ".model",
}


class RunCopies(Copies):
    """Copies a workspace's ended runs and prepared datasets, and back into an empty one."""

    def __init__(self, workspace: Workspace, runs: RunStore, repo: str, every: float = EVERY):
        super().__init__(repo, workspace.home / "runs-copied.json", every)
        self._workspace, self._runs = workspace, runs

    def push(self) -> int:
        """Copy folders that are new or changed, and take out those deleted here; how many."""
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
                hub.send([], self.repo, gone=gone, message="Take out what was deleted")
            copied = {name: changed for name, changed in copied.items() if name not in gone}
            write_json(self._notes, {"safe": began, "copied": copied})
            return len(fresh) + len(gone)

    def restore(self) -> int:
        """Fill a workspace that has neither runs nor datasets; how many folders came back.

        A repository that is not there yet is nothing to restore. Raises where the Hub cannot be
        read.
        """
        if any(True for kind in _RECORD for _ in (self._workspace.home / kind).iterdir()):
            return 0
        with hub.sentences(self.repo, "read"):
            found: dict[str, list[str]] = {}
            for name in self._listed():
                kind, _, rest = name.partition("/")
                if kind in _RECORD and PurePosixPath(name).suffix in _KINDS and ".." not in name:
                    found.setdefault(f"{kind}/{rest.partition('/')[0]}", []).append(name)
            for folder, names in found.items():
                self._fetch(folder, names)
        write_json(self._notes, {"safe": time.time(), "copied": dict(self._folders())})
        return len(found)

    def _folders(self) -> Iterator[tuple[str, float]]:
        """What is to be copied, `runs/<id>` or `datasets/<id>`, and when it last changed."""
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
        hub.send(files, self.repo, message=f"Keep {name}")

    def _fetch(self, name: str, files: list[str]) -> None:
        """One folder, whole or not at all."""
        from huggingface_hub import hf_hub_download

        kind, identifier = name.split("/")
        target = self._workspace.folder(kind, identifier)
        part = target.with_name(f".{identifier}.part")
        shutil.rmtree(part, ignore_errors=True)
        for file in files:
            path = part / PurePosixPath(file).relative_to(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(hf_hub_download(self.repo, file), path)
        part.rename(target)


def _changed(folder: Path) -> float:
    files = (path for path in folder.iterdir() if path.is_file() and path.name not in _LEFT_OUT)
    return max(path.stat().st_mtime for path in files)


def run_copies_for(workspace: Workspace, runs: RunStore) -> RunCopies | None:
    """The copies that `STUDIO_RUNS_REPO` asks for, None where it is not set."""
    repo = os.environ.get("STUDIO_RUNS_REPO")
    return RunCopies(workspace, runs, repo) if repo else None


def is_ephemeral_disk(home: Path) -> bool:
    """Whether a restart empties the workspace's disk: a Space's own, outside /data."""
    return "SPACE_ID" in os.environ and not home.resolve().is_relative_to("/data")
