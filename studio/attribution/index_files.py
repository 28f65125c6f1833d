"""A run's index on disk: written in chunks, read through a memory map. Imports no torch.

runs/<id>/attribution/<name>/
  index.json    what it was made from, and how many rows are done; written last
  vectors.f16   [rows, dims], unit norm
  norms.f32     [rows], of the gradients before
  places.i32    [rows, 3]: dataset of the mixture, row of its train split, 1 for a pair's second row
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studio.core.records import DamagedRecord, read_json
from studio.core.workspace import check_room, write_json

VERSION = 1
RECORD = "index.json"
SCALES = "scales.safetensors"


def bytes_a_row(dims: int) -> int:
    """Bytes that a row takes at one point.

    >>> bytes_a_row(3968)
    7952
    """
    return 2 * dims + 4 + 12


@dataclass
class Index:
    """An index, whole or begun; `record` is its `index.json`."""

    folder: Path
    record: dict[str, Any]

    @property
    def rows(self) -> int:
        return int(self.record["rows"])

    @property
    def done(self) -> int:
        """Rows written so far, in the order in which they are taken."""
        return int(self.record["done"])

    @property
    def filled(self) -> bool:
        """Whether every row is written."""
        return self.done >= self.rows

    @property
    def complete(self) -> bool:
        """Whether it can be asked: every row is written, and what random rows score is known."""
        return self.filled and "unlike" in self.record

    @property
    def whole(self) -> bool:
        """Whether its files are there in their sizes; one that a copy cut short is not."""
        sizes = {
            "vectors.f16": 2 * self.rows * self.dims,
            "norms.f32": 4 * self.rows,
            "places.i32": 12 * self.rows,
        }
        files = {name: self.folder / name for name in sizes}
        return all(
            path.is_file() and path.stat().st_size == sizes[name] for name, path in files.items()
        ) and (not self.record.get("precondition") or (self.folder / SCALES).is_file())

    @property
    def dims(self) -> int:
        return int(self.record["dims"])

    def vectors(self, mode: str = "r") -> np.memmap[Any, np.dtype[np.float16]]:
        """[rows, dims] of unit norm, mapped."""
        return self._map("vectors.f16", np.float16, (self.rows, self.dims), mode)

    def norms(self, mode: str = "r") -> np.memmap[Any, np.dtype[np.float32]]:
        """[rows]: the gradients' norms."""
        return self._map("norms.f32", np.float32, (self.rows,), mode)

    def places(self) -> NDArray[np.int32]:
        """[rows, 3]: dataset, row, side."""
        return self._map("places.i32", np.int32, (self.rows, 3), "r")

    def _map(self, name: str, kind: Any, shape: tuple[int, ...], mode: Any) -> Any:
        return np.memmap(self.folder / name, dtype=kind, mode=mode, shape=shape)

    def advance(self, done: int, **more: Any) -> None:
        """Say how many rows are done, on disk."""
        self.record |= {"done": done, **more}
        write_json(self.folder / RECORD, self.record)


def opened(folder: Path) -> Index | None:
    """The index in a folder, whole or begun; None where there is none that can be used."""
    try:
        record = read_json(folder / RECORD)
    except (FileNotFoundError, DamagedRecord):
        return None
    if record.get("version") != VERSION or not {"rows", "done", "dims"} <= record.keys():
        return None
    index = Index(folder, record)
    return index if index.whole else None


def begun(folder: Path, wanted: dict[str, Any], places: NDArray[np.int32]) -> Index:
    """The index to go on with: one of the same making, or a new one with room on the disk.

    Args:
        wanted: what must be the same: dims, seed, rows, data, base, weights, parts.
    """
    found = opened(folder)
    if found is not None and all(found.record.get(key) == wanted[key] for key in wanted):
        return found
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    count, dims = len(places), int(wanted["dims"])
    check_room(folder, count * bytes_a_row(dims), "The index", "Free some space, then ask again.")
    index = Index(folder, {"version": VERSION, **wanted, "rows": count, "done": 0})
    np.memmap(folder / "places.i32", np.int32, "w+", shape=(count, 3))[:] = places
    index.vectors("w+")
    index.norms("w+")
    index.advance(0)
    return index
