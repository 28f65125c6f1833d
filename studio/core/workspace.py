"""STUDIO_HOME: the one module that knows where everything is on disk.

    <home>/
      datasets/<id>/      dataset.json, train.parquet, test.parquet
      runs/<id>/          recipe.yaml, run.json, events.jsonl, checkpoints/, adapter/
      comparisons/<id>.json
      uploads/            files uploaded through the page
      exports/            exports and files for download
      pairs/<id>.json     pairs being generated for a labeling project
      votes.db            labeling projects and votes (SQLite)
      library.json        stars, tags, and notes
      trash/<id>/         deleted runs and exports, kept for a day
      presets/<name>.yaml recipes the user saved
      cache/              meta models, reference log-probabilities: safe to delete

Ids are made here from a clock and a random suffix, never from what the user typed: a label cannot
become a path.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Generator, Sequence
from pathlib import Path

import platformdirs

from studio.core.errors import DataError, WorkspaceError
from studio.core.formatting import bytes_text

ROOT = Path(__file__).resolve().parents[2]
"""The project folder, with `app.py`, the shipped presets, and this package."""
PRESETS = ROOT / "presets"
NETWORK_DISKS = frozenset(
    {
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "sshfs",
        "s3fs",
        "gcsfuse",
        "rclone",
        "goofys",
        "mountpoint-s3",
        "blobfuse2",
        "ceph",
        "glusterfs",
        "lustre",
        "beegfs",
        "afs",
        "davfs",
        "webdav",
    }
)
"""File systems over a network, by the kernel's or FUSE's names."""
RESERVE = 256 << 20
"""Bytes of the disk that files leave free, so that votes are still taken where the rest is full."""
_ID = re.compile(r"[a-z]+-\d{8}-\d{6}-[0-9a-f]{4}([0-9a-f]{28})?(@\d+)?")  # @: a checkpoint's step


def default_home() -> Path:
    """`$STUDIO_HOME`, else `alignment-studio` in the user's data directory."""
    chosen = os.environ.get("STUDIO_HOME")
    if chosen:
        return Path(chosen).expanduser()
    return Path(platformdirs.user_data_dir("alignment-studio", appauthor=False))


def new_id(kind: str) -> str:
    """A fresh id such as `run-20260131-142501-9f3c`: sortable by time, safe as a folder name."""
    return f"{kind}-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"


def secret_id(kind: str) -> str:
    """An id with 128 random bits, for what whoever names it is given: it cannot be guessed."""
    return f"{kind}-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(16)}"


def write_durably(path: Path, text: str) -> None:
    """Replace `path` atomically and synced: a crash leaves the whole old file or the new one."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise WorkspaceError(
            f"Could not write {path.name} in {path.parent}: {error.strerror}. "
            "Free some space or check the folder's permissions."
        ) from error


def write_json(path: Path, value: object) -> None:
    """`write_durably` of indented JSON."""
    write_durably(path, json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")


@contextlib.contextmanager
def written_whole(path: Path) -> Generator[Path]:
    """A path beside `path` to write to; renamed to `path` at the end, removed after an error.

    For files of any size that the user asked for: unlike `write_durably` it does not sync.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        yield part
        part.replace(path)
    except OSError as error:
        raise WorkspaceError(f"{path} could not be written: {error.strerror or error}.") from error
    finally:
        part.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Sync a folder's entries, so that a rename survives a power failure."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def put_in_place(source: Path, target: Path) -> Path:
    """Rename a finished folder, synced before and after: a power failure leaves all of it or none.

    The order is each file, its folders, the rename, and the folder that the name stands in.
    """
    for path in source.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
    for folder in [source, *(path for path in source.rglob("*") if path.is_dir())]:
        sync_folder(folder)
    source.rename(target)
    sync_folder(target.parent)
    return target


def file_system(path: Path) -> str:
    """The type of file system a path is on, such as ext4 or nfs4; empty if unknown."""
    import psutil

    resolved = path.resolve()
    mounts = [
        mount
        for mount in psutil.disk_partitions(all=True)
        if resolved.is_relative_to(mount.mountpoint)
    ]
    nearest = max(mounts, key=lambda mount: len(mount.mountpoint), default=None)
    return nearest.fstype.lower() if nearest else ""


def check_room(folder: Path, need: int, what: str, how: str) -> None:
    """Raise a `WorkspaceError` where `what`, of `need` bytes, would not leave `RESERVE` free."""
    free = max(0, shutil.disk_usage(folder).free - RESERVE)
    if free < need:
        raise WorkspaceError(
            f"{what} takes about {bytes_text(need)}, and {folder} has {bytes_text(free)} free "
            f"beside the {bytes_text(RESERVE)} that stay free for votes. {how}"
        )


class Workspace:
    """Paths under one home folder; creates the folders."""

    def __init__(self, home: str | os.PathLike[str] | None = None):
        self.home = Path(home).expanduser() if home else default_home()
        try:
            for folder in ("datasets", "runs", "comparisons", "uploads", "exports", "cache"):
                (self.home / folder).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise WorkspaceError(
                f"The workspace {self.home} cannot be used: {error.strerror}. "
                "Set STUDIO_HOME to a folder you can write to."
            ) from error

    def __repr__(self) -> str:
        return f"Workspace({str(self.home)!r})"

    @property
    def datasets(self) -> Path:
        return self.home / "datasets"

    @property
    def runs(self) -> Path:
        return self.home / "runs"

    @property
    def comparisons(self) -> Path:
        return self.home / "comparisons"

    @property
    def uploads(self) -> Path:
        return self.home / "uploads"

    @property
    def exports(self) -> Path:
        return self.home / "exports"

    @property
    def cache(self) -> Path:
        return self.home / "cache"

    @property
    def trash(self) -> Path:
        """Deleted runs, kept for a day; on the same disk, so that moving there is free."""
        return self.home / "trash"

    @property
    def votes_url(self) -> str:
        """SQLAlchemy URL of the votes: `$STUDIO_DATABASE_URL`, else SQLite in the workspace."""
        return os.environ.get("STUDIO_DATABASE_URL") or f"sqlite:///{self.home / 'votes.db'}"

    def network_disk(self) -> str | None:
        """The network file system that the SQLite votes would be on; None for a local disk.

        SQLite's locks are unreliable on such disks (sqlite.org/howtocorrupt.html, 2.1), and its
        write-ahead log needs shared memory.
        """
        if not self.votes_url.startswith("sqlite"):
            return None
        kind = file_system(self.home)
        return kind if kind.removeprefix("fuse.") in NETWORK_DISKS else None

    @property
    def training_lock(self) -> Path:
        """Held by the process that is training, so that page and shell take turns."""
        return self.home / "training.lock"

    @property
    def runs_lock(self) -> Path:
        """Held while a run's state is read, changed, and written."""
        return self.home / "runs.lock"

    def folder(self, kind: str, identifier: str) -> Path:
        """The folder of a dataset or run by id; refuses anything that is not an id."""
        if not _ID.fullmatch(identifier):
            raise WorkspaceError(f"{identifier!r} is not an id of this workspace.")
        return self.home / kind / identifier

    def take_in(self, files: Sequence[str | Path]) -> list[Path]:
        """Uploaded files in a folder of their own; duplicate names get a number.

        They are linked, or copied from another disk, not moved: a browser that adds a file to its
        choice sends the earlier ones again by the same path.
        """
        folder = self.uploads / secret_id("upload")
        folder.mkdir(parents=True)
        kept: list[Path] = []
        for file in map(Path, files):
            place, number = folder / file.name, 2
            while place.exists():
                place, number = folder / f"{number}-{file.name}", number + 1
            try:
                os.link(file.resolve(strict=True), place)
            except FileNotFoundError:
                raise DataError(f"{file.name} is gone; upload it again.") from None
            except OSError:  # another disk, or one without links
                shutil.copyfile(file, place)
            kept.append(place)
        return kept

    def free_bytes(self) -> int:
        """Bytes free on the workspace's disk."""
        status = os.statvfs(self.home)
        return status.f_bavail * status.f_frsize
