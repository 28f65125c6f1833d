"""Something of the workspace that is copied to a repository on the Hub now and then."""

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

log = logging.getLogger("studio.engine.run_backup")


EVERY = 300.0  # seconds between copies, where anything is new


class Copies(ABC):
    """Something copied to a repository on the Hub now and then, in a thread of its own."""

    kind = "model"

    def __init__(self, repo: str, notes: Path, every: float = EVERY):
        """`notes` is a small file of ours that says how far the copy has come."""
        self._notes, self._every = notes, every
        self.repo = hub.check_name(repo, self.kind)
        self._ended = threading.Event()
        self._turn = threading.Lock()
        self._thread: threading.Thread | None = None
        self.error = ""

    @abstractmethod
    def push(self) -> int:
        """Copy what is new; how much that was. Raises a sentence where the Hub does not take it."""

    @property
    def newest(self) -> float | None:
        """When everything up to then was known to be safe (epoch seconds); None: never yet."""
        return self._read().get("safe")

    def start(self) -> None:
        """Copy now and then, in a thread of its own."""
        self._thread = threading.Thread(target=self._work, name="copies", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Copy what is new once more, and stop; a command in a shell never started it."""
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
            log.error("A copy broke off", exc_info=error)
            self.error = f"The copy broke off with {type(error).__name__}; see studio.log."

    def _read(self) -> dict[str, Any]:
        try:
            return json.loads(self._notes.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise WorkspaceError(
                f"{self._notes.name} cannot be read; delete it, and the next copy is a whole one."
            ) from error

    def _listed(self) -> list[str]:
        """Names of all files in the repository; none where there is none yet."""
        from huggingface_hub import HfApi
        from huggingface_hub.errors import RepositoryNotFoundError

        try:
            return sorted(HfApi().list_repo_files(self.repo, repo_type=self.kind))
        except RepositoryNotFoundError:
            return []


def copy_age(copies: Copies) -> dict[str, str]:
    """How old the last safe copy is, as `kind` (empty or warn), `text` and what `more` there is."""
    newest, error = copies.newest, copies.error
    if newest is None:
        return {"kind": "warn", "text": "no safe copy yet", "more": error}
    stale = bool(error) or time.time() - newest > 3 * EVERY
    return {"kind": "warn" if stale else "", "text": f"copied {ago_text(newest)}", "more": error}
