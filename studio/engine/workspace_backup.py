"""One archive of a workspace, written while the studio runs, and read back into an empty one.

A plain tar file: weights do not compress. Every file comes with its xxh3 digest, kept in
`MANIFEST`, the last entry. The votes are copied by SQLite's backup API; a live run comes with its
log so far and its complete checkpoints, and is interrupted where it is restored, so that it can be
resumed.
"""

from __future__ import annotations

import io
import json
import os
import re
import secrets
import shutil
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any

import xxhash

from studio.core.errors import WorkspaceError
from studio.core.version import __version__
from studio.core.workspace import Workspace, check_room, sync_folder
from studio.engine.disk_usage import size_of
from studio.runs import checkpoints
from studio.runs.store import RunStore

if TYPE_CHECKING:
    from studio.engine.studio import Studio

OnFile = Callable[[int, int, str], None]
"""Called with the bytes done, the bytes in all, and the file that is next."""
MANIFEST = "manifest.json"
_NEVER = re.compile(r"\..*|cache|trash|votes\.db(-.*)?|.*\.lock|.*\.log(\.\d+)?")
"""What of a workspace is not kept by name: hidden files, caches, locks, logs. Votes are copied."""
_LOGS = ("events.jsonl", "feedback.jsonl")  # written to meanwhile, a line at a time
_BLOCK = 1 << 20


def back_up(
    studio: Studio, out: Path, without: tuple[str, ...] = (), on_file: OnFile | None = None
) -> dict[str, Any]:
    """Write the workspace into the tar file `out`; what it holds, in files and bytes.

    Args:
        without: folders and files of the workspace to leave out, such as exports.

    Raises `WorkspaceError` where `out` exists, or its disk has no room.
    """
    home = studio.workspace
    there = {path.name: path for path in home.home.iterdir() if not _NEVER.fullmatch(path.name)}
    if unknown := set(without) - {*there, "votes.db"}:
        known = ", ".join(sorted(there))
        raise WorkspaceError(f"There is no {unknown.pop()!r} to leave out; there are {known}.")
    if out.exists():
        raise WorkspaceError(f"{out} exists; name a new file.")
    if not out.absolute().parent.is_dir():
        raise WorkspaceError(f"There is no folder {out.parent} for the backup; make it first.")
    parts = [there[name] for name in sorted(there) if name not in without]
    total = sum(map(size_of, parts))
    check_room(out.parent, total, "The backup", "Choose another disk, or leave parts out.")
    temporary = out.with_name(f".{out.name}.{secrets.token_hex(4)}")
    try:
        with temporary.open("wb") as file:
            made = _Archive(file, total, on_file)
            if "votes.db" not in without:
                made.add_votes(studio)
            for path in _files(studio.runs, parts):
                made.add(path, path.relative_to(home.home).as_posix())
            manifest = made.finish()
            os.fsync(file.fileno())
        os.replace(temporary, out)
        sync_folder(out.parent)
    except OSError as error:
        raise WorkspaceError(f"{out} could not be written: {error.strerror or error}.") from error
    finally:
        temporary.unlink(missing_ok=True)
    return {"file": str(out), "bytes": out.stat().st_size, "left_out": list(without)} | manifest


def restore(home: Workspace, source: Path, on_file: OnFile | None = None) -> dict[str, Any]:
    """Read an archive into an empty workspace; nothing appears there unless all of it is whole.

    Raises `WorkspaceError` for a workspace that holds something, and for an archive that is cut
    short, is changed, or names files outside.
    """
    if not source.is_file():
        raise WorkspaceError(f"There is no file {source}.")
    _check_archive(source)
    if held := _held(home):
        raise WorkspaceError(
            f"The workspace {home.home} already holds {held}. "
            "Set STUDIO_HOME to a new folder, and restore into that."
        )
    check_room(home.home, source.stat().st_size, "What is restored", "Choose another disk.")
    with tempfile.TemporaryDirectory(prefix=".restore-", dir=home.home) as folder:
        manifest = _extract(source, Path(folder), on_file)
        for path in sorted(Path(folder).iterdir()):
            place = home.home / path.name
            if place.is_dir():
                place.rmdir()
            path.rename(place)
    sync_folder(home.home)
    return {"home": str(home.home)} | manifest


class _Archive:
    """A tar file in the making: each file as long as it was when it was opened."""

    def __init__(self, file: IO[bytes], total: int, on_file: OnFile | None):
        self._tar = tarfile.TarFile(fileobj=file, mode="w", format=tarfile.PAX_FORMAT)
        self._total, self._on_file = total, on_file
        self._done = 0
        self._digests: dict[str, str] = {}

    def add(self, path: Path, name: str) -> None:
        """Add a file, up to its last whole line where it is a log; one that is gone is left out."""
        try:
            with path.open("rb") as file:
                size = _whole_lines(path) if path.name in _LOGS else path.stat().st_size
                self._write(file, name, size)
        except FileNotFoundError:
            return

    def add_votes(self, studio: Studio) -> None:
        with tempfile.TemporaryDirectory(dir=studio.workspace.cache) as folder:
            copy = Path(folder) / "votes.db"
            if studio.labels.copy_to(copy):
                self.add(copy, copy.name)

    def _write(self, file: IO[bytes], name: str, size: int) -> None:
        if self._on_file:
            self._on_file(self._done, max(self._total, self._done), name)
        entry = tarfile.TarInfo(name)
        entry.size, entry.mtime, entry.mode = size, int(time.time()), 0o600
        reader = _Digested(file)
        self._tar.addfile(entry, reader)  # pyright: ignore[reportArgumentType]
        self._digests[name] = reader.digest()
        self._done += size

    def finish(self) -> dict[str, Any]:
        """Write the manifest and the end of the archive; files, version and time."""
        about = {"version": __version__, "created": time.time(), "files": len(self._digests)}
        text = json.dumps(
            about | {"digests": self._digests}
        ).encode()  # ASCII: names may not be text
        entry = tarfile.TarInfo(MANIFEST)
        entry.size = len(text)
        self._tar.addfile(entry, io.BytesIO(text))
        self._tar.close()
        return about


class _Digested:
    """A file that keeps the digest of what was read from it."""

    def __init__(self, file: IO[bytes]):
        self._file, self._state = file, xxhash.xxh3_128()

    def read(self, size: int = -1) -> bytes:
        block = self._file.read(size)
        self._state.update(block)
        return block

    def digest(self) -> str:
        return self._state.hexdigest()


def _whole_lines(path: Path) -> int:
    """Bytes up to the end of a file's last complete line."""
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        while end:
            start = max(0, end - _BLOCK)
            file.seek(start)
            at = file.read(end - start).rfind(b"\n")
            if at >= 0:
                return start + at + 1
            end = start
    return 0


def _files(runs: RunStore, parts: list[Path]) -> Iterator[Path]:
    """What is kept, half-written files left out; a checkpoint's manifest after its files."""
    live = {run.folder for run in runs.list() if runs.held(run)}
    yield from (part for part in parts if part.is_file())
    for part in parts:
        for folder in sorted(part.iterdir()) if part.is_dir() else []:
            if folder.name.startswith("."):
                continue
            yield from _live_run(folder) if folder in live else _all_of(folder)


def _all_of(folder: Path) -> Iterator[Path]:
    if folder.is_file():
        yield folder
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.is_file() and not path.is_symlink() and not hidden and path.name != "lock":
            yield path


def _live_run(folder: Path) -> Iterator[Path]:
    """A run that is training: its records, and the checkpoints that nobody writes any more."""
    yield from (path for path in sorted(folder.iterdir()) if path.is_file() and path.name != "lock")
    for step in checkpoints.steps(folder / "checkpoints"):
        inside = list(_all_of(folder / "checkpoints" / f"checkpoint-{step}"))
        # The trainer may delete it meanwhile: without a manifest, what is left counts for nothing.
        yield from sorted(inside, key=lambda path: path.name == checkpoints.MANIFEST)


def _held(home: Workspace) -> str:
    """What keeps a workspace from being restored into; empty where nothing does."""
    for path in sorted(home.home.iterdir()):
        kept = path.name == "votes.db" or not _NEVER.fullmatch(path.name)
        if kept and (path.is_file() or any(path.iterdir())):
            return path.name
    return ""


def _check_archive(source: Path) -> None:
    """Raise `WorkspaceError` for a file that is no archive at all."""
    try:
        tarfile.open(source, "r:").close()
    except (tarfile.TarError, EOFError, ValueError, OverflowError) as error:
        raise WorkspaceError(
            f"{source.name} is no archive, and so no whole backup ({error!s:.100}). Name one that "
            "`backup` wrote."
        ) from error


def _extract(source: Path, folder: Path, on_file: OnFile | None) -> dict[str, Any]:
    """Unpack every file into `folder`, compared with its digest."""
    total, found = source.stat().st_size, dict[str, str]()
    manifest: dict[str, Any] | None = None
    try:
        with tarfile.open(source, "r:") as tar:  # plain: what is compressed may be a bomb
            for entry in tar:
                setattr(tar, "members", [])  # noqa: B010  else it keeps all of them
                file = tar.extractfile(entry) if _plain(entry, total) else None
                if file is None:
                    raise WorkspaceError(
                        f"{source.name} holds {entry.name!r:.200}, no file of a backup."
                    )
                if on_file:
                    on_file(min(entry.offset_data, total), total, entry.name)
                if entry.name == MANIFEST:
                    manifest = json.load(file)
                else:
                    found[entry.name] = _unpack(file, folder / entry.name)
    except (tarfile.TarError, EOFError, ValueError, RecursionError, OverflowError) as error:
        raise WorkspaceError(f"{source.name} is no whole backup ({error!s:.100}).") from error
    except OSError as error:  # a name that is too long, twice there, or a file and a folder at once
        why = error.strerror or error
        raise WorkspaceError(f"{source.name} could not be unpacked: {why}.") from error
    digests = manifest.pop("digests", None) if isinstance(manifest, dict) else None
    if manifest is None or not isinstance(digests, dict) or "files" not in manifest:
        raise WorkspaceError(f"{source.name} is cut short: its manifest is missing.")
    for name in {*digests, *found}:
        if digests.get(name) != found.get(name):
            raise WorkspaceError(
                f"{source.name} is damaged: {name!r:.200} is not what was backed up."
            )
    return manifest


def _plain(entry: tarfile.TarInfo, total: int) -> bool:
    """Whether an entry is a file whose bytes are all in an archive of `total` bytes.

    A sparse file is not: a few bytes may stand for one that fills the disk.
    """
    whole = entry.isfile() and not entry.issparse() and 0 <= entry.size <= total
    return whole and _inside(entry.name)


def _inside(name: str) -> bool:
    """Whether a name in an archive is one that a backup writes: no way out, nothing beside."""
    parts = PurePosixPath(name).parts
    if not parts or "\\" in name or any(part in ("/", "..") for part in parts):
        return False
    return name == "votes.db" or not _NEVER.fullmatch(parts[0])


def _unpack(file: IO[bytes], path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    reader = _Digested(file)
    with path.open("xb") as target:
        shutil.copyfileobj(reader, target, _BLOCK)  # pyright: ignore[reportArgumentType]
        target.flush()
        os.fsync(target.fileno())
    return reader.digest()
