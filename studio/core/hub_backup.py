"""Backups of the workspace in a repository on the Hub, every few minutes.

The timer is ours: `huggingface_hub.CommitScheduler` (read in 2.4) creates the repository in
its constructor and raises where the Hub cannot be reached then, after which nothing tries again; it
remembers what it sent in memory only, so that a restart hashes and sends everything anew; it
uploads every file in a folder, also checkpoints and a run in progress; it never deletes; and its
thread sleeps on after `stop()`. With `push_to_hub` overridden, only its timer would be left, which
is the nine lines of `start` and `_work`. What is fetched comes by its `snapshot_download`.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from studio.core import hub
from studio.core.errors import StudioError, WorkspaceError
from studio.core.formatting import ago_text

log = logging.getLogger("studio.core.hub_backup")

EVERY = 300.0  # seconds between backups, where anything is new


class Backup(ABC):
    """Part of the workspace, backed up to a repository on the Hub by a thread of its own."""

    kind = "model"

    def __init__(self, repo: str, notes: Path, every: float = EVERY):
        """`notes` is a small JSON file that says what is backed up; `every` is in seconds."""
        self._notes, self._every = notes, every
        self.repo = hub.check_name(repo, self.kind)
        self._ended = threading.Event()
        self._turn = threading.Lock()
        self._thread: threading.Thread | None = None
        self.error = ""

    @abstractmethod
    def push(self) -> int:
        """Back up what is new; returns how much. Raises `StudioError` where the Hub refuses."""

    @property
    def newest(self) -> float | None:
        """Everything older is backed up (epoch seconds); None before the first backup."""
        return self._read().get("safe")

    def start(self) -> None:
        """Push now and every few minutes, in a thread."""
        self._thread = threading.Thread(target=self._work, name="backup", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Push once more and stop; does nothing where `start` was never called (the shell)."""
        self._ended.set()
        if self._thread is not None:
            self._try()

    def _work(self) -> None:
        while not self._ended.is_set():
            self._try()
            self._ended.wait(self._every)

    def _try(self) -> None:
        try:
            self.push()
            self.error = ""
        except StudioError as error:
            self.error = str(error)
        except Exception as error:
            log.error("The backup to %s failed", self.repo, exc_info=error)
            self.error = f"The backup failed with {type(error).__name__}; see studio.log."

    def _read(self) -> dict[str, Any]:
        try:
            return json.loads(self._notes.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise WorkspaceError(
                f"{self._notes.name} cannot be read; delete it, and the next backup is complete."
            ) from error

    def _snapshot(self, *patterns: str) -> Path | None:
        """A folder with the repository's files that match, None where there is no repository.

        The revision is asked for first: without a connection `snapshot_download` would fall back
        to an older snapshot in the cache, and what was pushed since would be lost.
        """
        from huggingface_hub import HfApi, snapshot_download  # pyright: ignore[reportUnknownVariableType]
        from huggingface_hub.errors import RepositoryNotFoundError

        with hub.sentences(self.repo, "read", self.kind):
            try:
                revision = HfApi().repo_info(self.repo, repo_type=self.kind).sha
            except RepositoryNotFoundError:
                return None
            folder = snapshot_download(
                self.repo,
                repo_type=self.kind,
                revision=revision,
                allow_patterns=list(patterns),
                ignore_patterns="*..*",
            )
        return Path(folder)


def backup_age(backup: Backup) -> dict[str, str]:
    """The age of a backup for the page: `kind` ("" or "warn"), `text`, and `more` (the error)."""
    newest, error = backup.newest, backup.error
    if newest is None:
        return {"kind": "warn", "text": "not backed up yet", "more": error}
    stale = bool(error) or time.time() - newest > 3 * EVERY
    return {"kind": "warn" if stale else "", "text": f"backed up {ago_text(newest)}", "more": error}
