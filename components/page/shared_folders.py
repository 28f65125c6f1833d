"""Which files agents may name: those of the workspace that are for others, and shared folders."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from studio.core.errors import DataError
from studio.core.workspace import ROOT, Workspace
from studio.runs import dataset_entries


def check(value: object, workspace: Workspace, path: bool = False) -> None:
    """Raise `DataError` where a value, or one inside it, names a file that is not shared.

    Shared are the workspace's exports and uploads, the shipped samples, and the folders listed in
    `STUDIO_MCP_FOLDERS` (separated as PATH is). `path`: the value is a path, whether or not there
    is such a file; any other text counts as one where it has a separator and there is.
    """
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for one in value:
            check(one, workspace, path)
        return
    if not isinstance(value, str | Path) or not str(value):
        return
    for name in _paths_in(value):
        check(name, workspace, path)
    if not (path or _is_file(str(value))):
        return
    try:
        named = Path(value).expanduser().resolve()
    except (OSError, ValueError, RuntimeError):
        raise DataError(f"{str(value)[:200]!r} is no path of a file.") from None
    if not any(named.is_relative_to(folder.resolve()) for folder in _shared(workspace)):
        raise DataError(
            f"{value} is not shared with agents. An owner lists folders to share in "
            "STUDIO_MCP_FOLDERS."
        )


def _paths_in(value: str | Path) -> list[str]:
    """The paths of a text that names a mixture's datasets, as `./rows.jsonl:0.1` does."""
    if isinstance(value, Path) or len(value) > 4096 or not any(mark in value for mark in ":;{"):
        return []
    try:
        entries: Any = dataset_entries.parse(value)
    except ValueError:
        return []
    found = [str(entry.get("path", "")) for entry in entries if isinstance(entry, dict)]
    return [one for one in found if one and one != value]


def _is_file(text: str) -> bool:
    if len(text) > 4096 or not (os.sep in text or text.startswith("~")):
        return False
    try:
        return Path(text).expanduser().exists()
    except (OSError, ValueError, RuntimeError):
        return False


def _shared(workspace: Workspace) -> list[Path]:
    listed = os.environ.get("STUDIO_MCP_FOLDERS", "").split(os.pathsep)
    own = [workspace.exports, workspace.uploads, ROOT / "presets"]
    return [*own, *(Path(folder).expanduser() for folder in listed if folder.strip())]
