"""Reading the workspace's records: what is damaged is said, kept aside, and never written over."""

from __future__ import annotations

import functools
import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from studio.core.errors import WorkspaceError

Record = TypeVar("Record")


class DamagedRecord(WorkspaceError):
    """A record that is there and cannot be read; the sentence says which and why."""


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file.

    Raises `FileNotFoundError` where there is none, `DamagedRecord` for anything but an object.
    """
    try:
        found: Any = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise _damaged(path, str(error)) from error
    if not isinstance(found, dict):
        raise _damaged(path, "it holds no object")
    return found  # pyright: ignore[reportUnknownVariableType]


def checked(kind: type[Record], values: Mapping[str, Any], path: Path) -> Record:
    """A dataclass from a record's values, whose types are checked; `DamagedRecord` names one."""
    try:
        return _adapter(kind).validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise _damaged(path, f"{field}: {first['msg'].lower()}") from None


_Stamp = tuple[int, int, int] | None


class RecordCache(Generic[Record]):
    """Records that are read again only when their files changed, by inode, time and size.

    They are written by renaming a new file over the old one, so a change is a new inode. What is
    given out is shared: it must not be changed in place.
    """

    def __init__(self):
        self._held: dict[Path, tuple[tuple[_Stamp, ...], Record]] = {}
        self._lock = threading.Lock()

    def get(self, folder: Path, files: tuple[str, ...], read: Callable[[], Record]) -> Record:
        """The record of `folder`, from `read` where one of its `files` is not as it was."""
        stamps = tuple(_stamp(f"{folder}/{name}") for name in files)
        with self._lock:
            held = self._held.get(folder)
        if held is not None and held[0] == stamps:
            return held[1]
        try:
            record = read()
        except BaseException:
            with self._lock:
                self._held.pop(folder, None)
            raise
        with self._lock:
            self._held[folder] = (stamps, record)
        return record


def _stamp(path: str) -> _Stamp:
    try:
        found = os.stat(path)  # a Path for each of thousands would take longer than the call
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def keep_aside(path: Path) -> Path:
    """Rename a damaged record, so that a new one can be begun; where it is kept."""
    kept = path.with_name(f"{path.name}.damaged-{time.strftime('%Y%m%d-%H%M%S')}")
    path.rename(kept)
    return kept


@functools.cache
def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _damaged(path: Path, why: str) -> DamagedRecord:
    return DamagedRecord(
        f"{path.name} of {path.parent.name} is damaged ({why.rstrip('.')}). It is left as it is; "
        "restore it from a backup, or delete that folder."
    )
