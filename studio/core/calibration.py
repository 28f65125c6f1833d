"""What was measured on this machine and is kept for it: one JSON file in the workspace's cache.

An entry belongs to the processor, the version of torch and the number of threads it was measured
with; other machines on the same workspace keep entries of their own. Imports no torch.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from studio.core.errors import WorkspaceError
from studio.core.hardware import cpu_name
from studio.core.json_values import as_object
from studio.core.workspace import write_json

FILE = "calibration.json"
HALF = "bfloat16"
GAIN = 0.85  # another product is taken where it needs at most this share of the usual one's time
_log = logging.getLogger(__name__)


def machine(torch_version: str, threads: int) -> str:
    """The key of what was measured here."""
    return f"{cpu_name()} | torch {torch_version} | {threads} threads"


def read(cache: Path) -> dict[str, dict[str, float]]:
    """Everything that was measured, by machine; without what is no number, whoever wrote it."""
    try:
        found = as_object(json.loads((cache / FILE).read_text(encoding="utf-8"))) or {}
    except (OSError, ValueError):
        return {}
    return {
        here: {name: share for name, share in known.items() if isinstance(share, float)}
        for here, entries in found.items()
        if (known := as_object(entries)) is not None
    }


def told(measured: dict[str, dict[str, float]]) -> dict[str, list[dict[str, Any]]]:
    """Measurements for people: {"shape", "share", "said"} each, by machine.

    The share is of the time that the usual product (`linear` in float32) takes.
    """
    return {
        here: [
            {"shape": name, "share": share, "said": _said(name, share)}
            for name, share in sorted(entries.items(), key=_order)
        ]
        for here, entries in measured.items()
    }


def _order(entry: tuple[str, float]) -> tuple[bool, str, int]:
    shape, _, rows = entry[0].rpartition(", ")
    return shape == HALF, shape, int(rows.split()[0]) if rows[:1].isdigit() else 0


def _said(name: str, share: float) -> str:
    if name.startswith(HALF):
        return "of float32's time; never chosen for you, as answers change: dtype: bfloat16"
    return "of linear's time: used" if share <= GAIN else "of linear's time: linear is used"


def add(cache: Path, key: str, entries: dict[str, float]) -> None:
    """Keep entries of one machine beside those that are there.

    A full disk costs a measurement at the next start, no answer.
    """
    known = read(cache)
    known[key] = known.get(key, {}) | entries
    try:
        cache.mkdir(parents=True, exist_ok=True)
        write_json(cache / FILE, known)
    except (OSError, WorkspaceError) as error:
        _log.warning("what was measured is not kept: %s", error)
