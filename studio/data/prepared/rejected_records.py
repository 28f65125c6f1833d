"""Records that could not be turned into rows, as they stand in their file: on disk, to be shown."""

from __future__ import annotations

import json
from array import array
from pathlib import Path

from studio.data.row_spool import Spool
from studio.data.types import RawRow

MOST = 20_000
"""Characters kept of a record."""


class Unread:
    """What stood where no row could be made; `numbers` and `files` say where, as in `Reading`."""

    def __init__(self, folder: Path | None = None) -> None:
        self.numbers, self.files = array("q"), array("H")
        self._spool = Spool(folder)

    def __len__(self) -> int:
        return len(self.numbers)

    def add(self, raw: RawRow, file: int) -> None:
        """Keep one record; `file` is its file's position among the source's files."""
        text = raw.text
        if raw.data and not text:
            text = json.dumps(raw.data, ensure_ascii=False, indent=2, default=str)
        self.numbers.append(raw.number)
        self.files.append(file)
        self._spool.append(text[:MOST].encode("utf-8", "backslashreplace"))

    def text(self, at: int) -> str:
        """One record as text; empty where nothing of it is known."""
        return self._spool.one(at).decode("utf-8")

    def close(self) -> None:
        """Drop the records."""
        self._spool.close()
