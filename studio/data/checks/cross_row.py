"""Checks across rows: exact duplicates, near duplicates, and contradicting preferences."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import orjson
import xxhash

from studio.core.formatting import percent_text
from studio.data.checks.near_duplicates import NearDuplicates
from studio.data.checks.row_checks import Finding, Row, prompt_of, whole_text
from studio.data.row_spool import Spool
from studio.data.types import Progress

Found = tuple[int, int, Finding]
"""A row's position, the earlier row's, and the finding with `{where}` for the earlier row."""


class Across:
    """Collects a digest per row, eight bytes each, and yields findings once all rows are in."""

    def __init__(self, type: str, folder: Path | None = None, near: bool = True):
        self._type = type
        self._rows, self._prompts = array("Q"), array("Q")
        self._pairs, self._order = array("Q"), array("b")
        self._near = NearDuplicates(folder) if near else None

    def see(self, row: Row, dumped: bytes, text: str) -> None:
        """The next row, with its JSON bytes and its `whole_text`."""
        if "provenance" in row:  # where a row came from does not make it another row
            bare = {name: value for name, value in row.items() if name != "provenance"}
            dumped = orjson.dumps(bare, default=str)
        self._rows.append(xxhash.xxh3_64_intdigest(dumped))
        asked = row.get("anchor") or row.get("sentence1") or prompt_of(row)
        prompt = xxhash.xxh3_64_intdigest(orjson.dumps(asked, default=str))
        self._prompts.append(prompt)
        if self._type == "preference":
            sides = [
                xxhash.xxh3_64_intdigest(orjson.dumps(row[side], default=str))
                for side in ("chosen", "rejected")
            ]
            both = f"{prompt} {min(sides)} {max(sides)}"
            self._pairs.append(xxhash.xxh3_64_intdigest(both.encode()))
            self._order.append(sides[0] < sides[1])
        if self._near is not None:
            self._near.add(text)

    @property
    def rows(self) -> np.ndarray:
        """A digest of each row, its provenance left out."""
        return np.array(self._rows, np.uint64)

    @property
    def prompts(self) -> np.ndarray:
        """A digest of each row's prompt."""
        return np.array(self._prompts, np.uint64)

    def findings(self, spool: Spool, progress: Progress | None) -> Iterator[Found]:
        """All findings across rows."""
        rows = self.rows
        firsts = first_of_each(rows)
        copies = firsts != np.arange(len(rows))
        for at in np.flatnonzero(copies).tolist():
            message = "Identical to {where}."
            yield at, int(firsts[at]), ("duplicate", message, None, "warning")
        yield from self._contradictions()
        if self._near is None:
            return

        def tick(done: int) -> None:
            if progress and done % 500 == 0:
                progress(len(rows), len(rows), "Comparing near duplicates")

        def text(at: int) -> str:
            return whole_text(orjson.loads(spool.one(at)))

        for at, before, share in self._near.pairs(copies, text, tick):
            same = percent_text(share)
            words = f"Near duplicate of {{where}}: {same} of their word pairs are the same."
            yield at, before, ("near_duplicate", words, None, "warning")

    def _contradictions(self) -> Iterator[Found]:
        if not len(self._pairs):
            return
        order = np.array(self._order, bool)
        firsts = first_of_each(np.array(self._pairs, np.uint64))
        for at in np.flatnonzero(order != order[firsts]).tolist():
            message = "{where} prefers the other answer of the same pair."
            yield at, int(firsts[at]), ("contradiction", message, None, "warning")

    def close(self) -> None:
        """Delete the signatures."""
        if self._near is not None:
            self._near.close()


def first_of_each(digests: np.ndarray) -> np.ndarray:
    """For every row, the position of the first row with the same digest."""
    if not len(digests):
        return np.zeros(0, np.int64)
    order = np.argsort(digests, kind="stable")
    ordered = digests[order]
    new = np.append(True, ordered[1:] != ordered[:-1])
    starts = np.maximum.accumulate(np.where(new, np.arange(len(order)), 0))
    firsts = np.empty(len(order), np.int64)
    firsts[order] = order[starts]
    return firsts
