"""Thumbs on answers that were given over the API: kept on disk, read as rows for KTO."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock

from studio.core.workspace import Workspace

FILE = "feedback.jsonl"


def _path(workspace: Workspace) -> Path:
    return workspace.home / FILE


def keep(workspace: Workspace, rated: Mapping[str, Any]) -> None:
    """Add a rated answer: `id`, `prompt`, `completion`, `label`, and what is known beside it.

    It is on disk when this returns.
    """
    path = _path(workspace)
    line = json.dumps(dict(rated), ensure_ascii=False) + "\n"
    with FileLock(path.with_suffix(".lock")), path.open("a", encoding="utf-8") as file:
        file.write(line)
        file.flush()
        os.fsync(file.fileno())


def rows(workspace: Workspace) -> list[dict[str, Any]]:
    """The rated answers, oldest first; the last rating of an answer counts, a torn line does
    not."""
    try:
        lines = _path(workspace).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    found: dict[str, dict[str, Any]] = {}
    for line in lines:
        try:
            row = json.loads(line)
            found[f"{row['by']} {row['id']}"] = row
        except (ValueError, KeyError, TypeError):
            continue  # the last line of a process that was killed
    return list(found.values())
