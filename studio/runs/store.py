"""Runs on disk: a run is a folder, read and written here. Imports no torch.

runs/<id>/
  recipe.yaml    the recipe
  run.json       state, progress, lineage; replaced atomically on every change
  events.jsonl   append-only log, read from a byte offset
  label          the name the user gave it later, if any
  lock           locked by the process that trains, which tells a live run from a killed one
  stop           exists while the run is asked to stop; contains "step" or "now"
  checkpoints/   complete ones have a manifest, see studio.runs.checkpoints
  adapter/       the result (model/ for a full fine-tune)
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import threading
import time
from collections.abc import Generator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from studio.core.errors import ConfigError, WorkspaceError, did_you_mean
from studio.core.formatting import one_line
from studio.core.records import DamagedRecord, RecordCache, checked, read_json
from studio.core.workspace import Workspace, new_id, write_durably, write_json
from studio.runs.events import read_events
from studio.runs.recipe import Recipe

LIVE = ("queued", "running", "stopping")
TRASH_KEPT = 86400.0  # seconds that a deleted run can be restored
_LONGEST_NAME = 120
_TRAINING = ("running", "stopping")
RESUMABLE = ("stopped", "interrupted", "failed")


@dataclass(frozen=True)
class Run:
    """A snapshot of a run's `run.json`, with its folder.

    `state` is one of queued, running, stopping, stopped, finished, failed, interrupted. Times are
    epoch seconds. `place` orders the queue. `error` and `warning` are sentences for
    the user; a finished run may have a warning. `data` identifies
    the rows, and `base` is the fingerprint of the base weights. `job` is what is known of a run on
    the Hub's machines (see `studio.engine.hosted_runs`), empty for one that trains here.
    """

    id: str
    name: str
    state: str = "queued"
    objective: str = "sft"
    method: str = "lora"
    model: str = "pocket"
    step: int = 0
    total_steps: int = 0
    eta_s: float | None = None
    created: float = 0.0
    place: float = 0.0
    started: float | None = None
    ended: float | None = None
    train_seconds: float = 0.0
    parent: str | None = None
    base: str = ""
    data: dict[str, Any] = field(default_factory=dict[str, Any])
    metrics: dict[str, float] = field(default_factory=dict[str, float])
    versions: dict[str, str] = field(default_factory=dict[str, str])
    provenance: dict[str, Any] = field(default_factory=dict[str, Any])
    job: dict[str, Any] = field(default_factory=dict[str, Any])
    error: str | None = None
    warning: str | None = None
    folder: Path = Path()

    @property
    def recipe(self) -> Recipe:
        return Recipe.from_yaml(self.folder / "recipe.yaml")

    @property
    def live(self) -> bool:
        return self.state in LIVE

    @property
    def adapter(self) -> Path | None:
        """Folder of the finished adapter, if any."""
        path = self.folder / "adapter"
        return path if (path / "adapter_config.json").exists() else None

    @property
    def weights(self) -> Path | None:
        """Folder of a full fine-tune's weights, if any."""
        path = self.folder / "model"
        return path if (path / "config.json").exists() else None

    @property
    def checkpoints(self) -> Path:
        return self.folder / "checkpoints"

    def events(self, offset: int = 0, limit: int | None = None) -> tuple[list[dict[str, Any]], int]:
        """Events from a byte offset on, and the offset of the next read; cheap when nothing is new.

        With `limit`, about that many bytes are read. At the end the offset stays the same.
        """
        return read_events(self.folder / "events.jsonl", offset, limit)

    @property
    def log_size(self) -> int:
        """Bytes of the event log so far."""
        path = self.folder / "events.jsonl"
        return path.stat().st_size if path.exists() else 0

    def as_dict(self) -> dict[str, Any]:
        """For `--json` and the API."""
        plain = asdict(self)
        plain["folder"] = str(self.folder)
        plain["adapter"] = str(self.adapter) if self.adapter else None
        return plain


class RunStore:
    """The runs of a workspace."""

    def __init__(self, workspace: Workspace):
        self.workspace = workspace
        self._writing = threading.Lock()
        self._records: RecordCache[Run] = RecordCache()

    def create(
        self,
        recipe: Recipe,
        provenance: dict[str, Any] | None = None,
        job: dict[str, Any] | None = None,
    ) -> Run:
        """A new queued run with its recipe on disk."""
        if recipe.start_from:
            self.get(recipe.start_from)
        identifier = new_id("run")
        folder = self.workspace.folder("runs", identifier)
        folder.mkdir(parents=True)
        run = Run(
            id=identifier,
            name=recipe.name or recipe.usual_name(),
            objective=recipe.objective,
            method=recipe.method,
            model=recipe.model_name_or_path,
            created=time.time(),
            parent=recipe.start_from,
            provenance=provenance or {},
            job=job or {},
            folder=folder,
        )
        write_durably(folder / "recipe.yaml", recipe.to_yaml())
        self.save(run)
        return run

    def free_name(self, wanted: str) -> str:
        """`wanted`, or `wanted-2`, `wanted-3` ... whichever no run has yet."""
        taken = {run.name for run in self.list()}
        numbered = (f"{wanted}-{number}" for number in itertools.count(2))
        return next(name for name in itertools.chain((wanted,), numbered) if name not in taken)

    def save(self, run: Run) -> Run:
        """Write `run.json` atomically."""
        plain = asdict(run)
        plain.pop("folder")
        write_json(run.folder / "run.json", plain)
        self._changed()
        return run

    def revision(self) -> int:
        """A number that grows whenever a run is made, changed, renamed or deleted, by anybody."""
        return self.workspace.runs.stat().st_mtime_ns

    def _changed(self) -> None:
        """Leave the time in the folder of runs: its own changes only when runs come or go."""
        now = time.time_ns()
        os.utime(self.workspace.runs, ns=(now, now))

    def update(self, identifier: str, was: str | None = None, **changes: Any) -> Run:
        """Read, change, and write one run; only read it where its state is not `was`.

        A lock keeps changes of other threads and processes from being lost.
        """
        with self._writing, FileLock(self.workspace.runs_lock):
            run = self._read(identifier)
            return self.save(replace(run, **changes)) if was in (None, run.state) else run

    def _read(self, identifier: str) -> Run:
        folder = self.workspace.folder("runs", identifier)

        def read() -> Run:
            try:
                plain = read_json(folder / "run.json")
            except FileNotFoundError:
                raise WorkspaceError(f"There is no run {identifier} in this workspace.") from None
            plain["name"] = _label(folder) or plain.get("name", "")
            known = {key: value for key, value in plain.items() if key in Run.__dataclass_fields__}
            return replace(checked(Run, known, folder / "run.json"), folder=folder)

        return self._records.get(folder, ("run.json", "label"), read)

    def _known(self, identifier: str) -> Run:
        """A run as its record says, or as damaged: shown and deleted like others, never written."""
        try:
            return self._settled(self._read(identifier))
        except DamagedRecord as damaged:
            folder = self.workspace.folder("runs", identifier)
            name = f"{_label(folder) or identifier} (damaged)"
            made = folder.stat().st_mtime
            return Run(identifier, name, "failed", created=made, error=str(damaged), folder=folder)

    def get(self, name: str) -> Run:
        """A run by id, or the newest one of a name."""
        try:
            return self._known(name)
        except WorkspaceError:
            pass
        runs = self.list()
        for run in runs:
            if run.name == name:
                return run
        names = [run.id for run in runs] + [run.name for run in runs]
        raise ConfigError(f"There is no run {name!r} here.{did_you_mean(name, names)}")

    def list(self) -> list[Run]:
        """All runs, newest first, damaged ones as failed; folders that are not runs are skipped."""
        runs: list[Run] = []
        for folder in self.workspace.runs.iterdir():
            try:
                runs.append(self._known(folder.name))
            except WorkspaceError:
                continue
        return sorted(runs, key=lambda run: (run.created, run.id), reverse=True)

    def _settled(self, run: Run) -> Run:
        """A run whose state is running, but whose lock is free, was interrupted."""
        if run.state not in _TRAINING:
            return run
        with self._free(run) as free:
            if not free:
                return run
            run = self._read(run.id)  # it may have ended between the two reads
            if run.state in _TRAINING:
                run = self.update(run.id, state="interrupted", ended=time.time(), eta_s=None)
            return run

    def lock(self, run: Run) -> FileLock:
        """The lock that the training process holds; released by the system when it dies."""
        return FileLock(run.folder / "lock", thread_local=False)

    def held(self, run: Run) -> bool:
        """Whether a process, this one included, is training the run."""
        with self._free(run) as free:
            return not free

    @contextlib.contextmanager
    def _free(self, run: Run) -> Generator[bool]:
        """Whether the run's lock is free; if so, no other process can take it meanwhile."""
        probe = self.lock(run)
        try:
            probe.acquire(timeout=0)
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            probe.release()

    def stop(self, identifier: str, now: bool = False) -> Run:
        """Ask a run to stop after the current step, with a checkpoint unless `now`."""
        run = self.get(identifier)
        if run.state == "queued":
            run = self.update(run.id, was="queued", state="stopped", ended=time.time())
            if run.state == "stopped":
                return run
        if not run.live:
            raise ConfigError(f"{run.name} is not running; it is {run.state}.")
        write_durably(run.folder / "stop", "now" if now else "step")
        self._changed()
        return replace(run, state="stopping")

    @staticmethod
    def stop_asked(run: Run) -> str | None:
        """`"step"` or `"now"` if the run is asked to stop."""
        try:
            return (run.folder / "stop").read_text() or "step"
        except FileNotFoundError:
            return None

    @staticmethod
    def clear_stop(run: Run) -> None:
        (run.folder / "stop").unlink(missing_ok=True)

    def rename(self, identifier: str, name: str) -> Run:
        """Give a run another name; its id and folder stay.

        The name has a file of its own, so that a run in progress does not overwrite it.
        """
        run = self.get(identifier)
        label = one_line(name)
        if not 0 < len(label) <= _LONGEST_NAME:
            raise ConfigError(f"Give the run a name of 1 to {_LONGEST_NAME} characters.")
        write_durably(run.folder / "label", label)
        self._changed()
        return self._read(run.id)

    def delete(self, identifier: str) -> None:
        """Move a run to the trash; refused while it is live or another run starts from it.

        `restore` brings it back until `empty_trash`.
        """
        run = self.get(identifier)
        if run.live:
            raise ConfigError(f"{run.name} is {run.state}; stop it before deleting it.")
        children = [other.name for other in self.list() if other.parent == run.id]
        if children:
            raise ConfigError(f"{', '.join(children)} started from {run.name}; delete that first.")
        self.to_trash(run.folder, run.id)

    def restore(self, identifier: str) -> Run:
        """Restore a deleted run; a `ConfigError` once the trash was emptied."""
        self.from_trash(identifier, self.workspace.folder("runs", identifier))
        return self.get(identifier)

    def to_trash(self, folder: Path, identifier: str) -> None:
        """Move a folder of the workspace to the trash, under its id."""
        self.workspace.trash.mkdir(exist_ok=True)
        os.utime(folder)  # the trash is emptied by age
        folder.rename(self.workspace.trash / identifier)

    def from_trash(self, identifier: str, home: Path) -> None:
        """Move a folder back; a `ConfigError` once it or its parent folder is gone."""
        folder = self.workspace.folder("trash", identifier)
        if not folder.is_dir():
            raise ConfigError(f"{identifier} is no longer in the trash.")
        if not home.parent.is_dir():
            raise ConfigError(f"{identifier} belongs to a deleted run; restore that first.")
        folder.rename(home)

    def empty_trash(self, older_than: float = TRASH_KEPT) -> None:
        """Delete for good what was trashed more than `older_than` seconds ago."""
        if not self.workspace.trash.is_dir():
            return
        for folder in self.workspace.trash.iterdir():
            if time.time() - folder.stat().st_mtime >= older_than:
                shutil.rmtree(folder)


def _label(folder: Path) -> str:
    """The name the user gave the run later, if any."""
    try:
        return (folder / "label").read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
