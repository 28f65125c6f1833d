"""A run's event log: JSON lines, appended by one process and read by any from a byte offset.

An incomplete last line is left for the next read; a line cut off by a crash is skipped.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any


def read_events(
    path: Path, offset: int = 0, limit: int | None = None
) -> tuple[list[dict[str, Any]], int]:
    """Complete lines of a JSONL log from byte `offset` on, and the offset of the next read.

    With `limit`, about that many bytes are read, and at least one line if there is one.
    """
    try:
        with path.open("rb") as file:
            file.seek(offset)
            block = file.read() if limit is None else file.read(limit) + file.readline()
    except FileNotFoundError:
        return [], offset
    end = block.rfind(b"\n") + 1
    events: list[dict[str, Any]] = []
    for line in block[:end].splitlines():
        try:
            events.append(json.loads(line))
        except ValueError:  # cut off by a crash, with later lines after it
            continue
    return events, offset + end


class EventLog:
    """Appends events to a run's log, each in one write, so that readers never see half a line."""

    def __init__(self, path: Path):
        self._file = path.open("a+b", buffering=0)
        if self._file.tell():
            self._file.seek(-1, os.SEEK_END)
            if self._file.read(1) != b"\n":
                # A crash cut off the last line: end it, so that the next event has its own.
                self._file.write(b"\n")

    def write(self, kind: str, **values: object) -> None:
        line = json.dumps({"kind": kind, "time": time.time(), **values}, default=str)
        self._file.write(line.encode() + b"\n")

    def close(self) -> None:
        self._file.close()
