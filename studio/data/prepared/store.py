"""Prepared datasets on disk: one folder each, a Parquet file per split, and `dataset.json` with the
steps that made it."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import shutil
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from studio.core.errors import DataError, WorkspaceError, did_you_mean
from studio.core.records import DamagedRecord, RecordCache, checked, read_json
from studio.core.workspace import Workspace, new_id, put_in_place, write_json
from studio.data.column_template import Templated
from studio.data.prepared.cleaning import clean
from studio.data.prepared.message_threads import Threaded
from studio.data.prepared.prepare_options import PrepareOptions
from studio.data.prepared.questions import refuse_open
from studio.data.prepared.reading import SourceReading, read_located
from studio.data.prepared.writing import open_reading, write_splits
from studio.data.readers.encodings import PACKED, SUFFIXES
from studio.data.readers.in_memory import GivenRows, given_format
from studio.data.readers.sources import SAMPLES, Located, Source, sample_path
from studio.data.rows import tidy
from studio.data.types import JsonObject, Progress, Row

if TYPE_CHECKING:
    from datasets import Dataset

_DELETED = ".deleted-"
_IN_MEMORY = 256 << 20

__all__ = ["DatasetStore", "PreparedDataset", "tidy"]


log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PreparedDataset:
    """A dataset ready for TRL; `rows` counts each split, `steps` tell what was done, in order."""

    id: str
    name: str
    type: str
    format: str
    source: str
    rows: dict[str, int]
    fingerprint: str
    steps: list[JsonObject]
    created: float
    folder: Path = field(repr=False)
    provenance: JsonObject = field(default_factory=dict)
    problems: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def path(self, split: str = "train") -> Path:
        """The split's parquet file; `DataError` where there is no such split."""
        if split not in self.rows:
            known = " and ".join(self.rows)
            raise DataError(f'The dataset "{self.name}" has no split "{split}"; it has {known}.')
        return self.folder / f"{split}.parquet"

    def load(self, split: str = "train") -> Dataset:
        """The split as `datasets.Dataset`: in memory when small, memory-mapped when not."""
        from datasets import Dataset

        path = self.path(split)
        if not path.is_file():
            raise WorkspaceError(
                f"{path.name} of {self.id} is missing from the workspace. Prepare it again."
            )
        if path.stat().st_size > _IN_MEMORY:
            cache = self.folder.parent.parent / "cache" / self.id
            return Dataset.from_parquet(str(path), cache_dir=str(cache))  # type: ignore[return-value]
        return Dataset(pq.read_table(path), split=split)  # type: ignore[arg-type]

    def head(self, n: int = 5, split: str = "train") -> list[Row]:
        """The first `n` rows as they will be trained on, empty fields left out; reads no more."""
        rows: list[Row] = []
        for batch in pq.ParquetFile(self.path(split)).iter_batches(batch_size=max(1, n)):
            rows.extend(tidy(row) for row in batch.to_pylist())
            if len(rows) >= n:
                break
        return rows[:n]

    def page(self, start: int = 0, count: int = 50, split: str = "train") -> list[Row]:
        """Rows `start` to `start + count` of a split; only the row groups they are in are read."""
        file = pq.ParquetFile(self.path(split), memory_map=True)
        found: list[Row] = []
        before = 0
        for group in range(file.num_row_groups):
            size = file.metadata.row_group(group).num_rows
            if before + size > start and before < start + count:
                table = file.read_row_group(group)
                first = max(0, start - before)
                found += table.slice(first, start + count - before - first).to_pylist()
            before += size
        return [tidy(row) for row in found]

    def as_dict(self) -> JsonObject:
        """What `dataset.json` holds."""
        names = (
            *("id", "name", "type", "format", "source", "rows", "fingerprint", "steps", "created"),
            *("provenance", "problems", "notes"),
        )
        return {name: getattr(self, name) for name in names}


def _origin(reading: SourceReading) -> dict[str, str]:
    """Revision and license of what was read, where it states them."""
    located = reading.located
    while isinstance(located, Threaded | Templated):
        located = located.located
    return located.origin if isinstance(located, Located) else {}


class DatasetStore:
    """The prepared datasets of a workspace."""

    def __init__(self, workspace: Workspace):
        self.workspace = workspace
        self._preparing = threading.Lock()
        self._records: RecordCache[PreparedDataset] = RecordCache()

    def prepare(
        self,
        source: Source | SourceReading,
        name: str | None = None,
        options: PrepareOptions | None = None,
        progress: Progress | None = None,
        provenance: JsonObject | None = None,
    ) -> PreparedDataset:
        """Read, recognise, check and clean `source`, and keep what is left under a new id.

        A `SourceReading` is not read again: its format, mapping and limit were given then.
        Raises `DataError` for a source that cannot be used, `Cancelled` when `progress` says so;
        then nothing is left behind.
        """
        options = options or PrepareOptions()
        where = {"source": _shown(source), "options": options.recorded(), **(provenance or {})}
        with contextlib.ExitStack() as opened:
            reading = (
                source
                if isinstance(source, SourceReading)
                else opened.enter_context(
                    open_reading(source, options, progress, self.workspace.cache)
                )
            )
            refuse_open(reading.stream)
            where = {**_origin(reading), **where}
            called = name or _plain_name(reading.located.name)
            return self._keep(reading, called, options, where, progress)

    def from_rows(
        self,
        rows: Iterable[Row],
        type: str,
        name: str,
        provenance: JsonObject | None = None,
        options: PrepareOptions | None = None,
    ) -> PreparedDataset:
        """Keep rows that are already TRL rows of `type` (labels become a dataset through this)."""
        options = options or PrepareOptions(test_fraction=0.0, dedupe=False)
        with read_located(
            GivenRows(name, rows), decided=given_format(type), folder=self.workspace.cache
        ) as reading:
            return self._keep(reading, name, options, dict(provenance or {}))

    def list(self) -> list[PreparedDataset]:
        """All prepared datasets, newest first; half-written ones are not seen."""
        found = []
        for folder in self.workspace.datasets.iterdir():
            if (folder / "dataset.json").is_file() and not folder.name.startswith("."):
                try:
                    found.append(self._record(folder))
                except WorkspaceError as damaged:  # one must not take the page from the others
                    log.error("%s", damaged)
        return sorted(found, key=lambda dataset: (dataset.created, dataset.id), reverse=True)

    def get(self, wanted: str) -> PreparedDataset:
        """By id, by name (the newest), or by a shipped sample's alias (prepared on first use)."""
        datasets = self.list()
        for dataset in datasets:
            if wanted in (dataset.id, dataset.name):
                return dataset
        if any(folder.name == wanted for folder in self.workspace.datasets.iterdir()):
            return self._record(self.workspace.datasets / wanted)  # says what is damaged
        if wanted in SAMPLES:
            return self._sample(wanted)
        known = [*(dataset.name for dataset in datasets), *SAMPLES]
        raise DataError(
            f'There is no prepared dataset "{wanted}".{did_you_mean(wanted, known)} '
            "Prepare it first, or use a shipped sample."
        )

    def _record(self, folder: Path) -> PreparedDataset:
        return self._records.get(folder, ("dataset.json",), lambda: _read(folder))

    def delete(self, identifier: str) -> None:
        """Remove a dataset and its files for good."""
        folder = self.workspace.folder("datasets", identifier)
        if not folder.is_dir():
            raise DataError(f"There is no prepared dataset {identifier}.")
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(self.workspace.cache / identifier, ignore_errors=True)

    def trash(self, identifier: str) -> None:
        """Remove a dataset so that `take_back` can undo it, until the next one is removed."""
        folder = self.workspace.folder("datasets", identifier)
        if not folder.is_dir():
            raise DataError(f"There is no prepared dataset {identifier}.")
        for old in self.workspace.datasets.glob(f"{_DELETED}*"):
            shutil.rmtree(old, ignore_errors=True)
            shutil.rmtree(self.workspace.cache / old.name.removeprefix(_DELETED), True)
        folder.rename(folder.with_name(f"{_DELETED}{identifier}"))

    def take_back(self, identifier: str) -> PreparedDataset:
        """Undo `trash`; a `DataError` once another removal has made it final."""
        folder = self.workspace.folder("datasets", identifier)
        aside = folder.with_name(f"{_DELETED}{identifier}")
        if not aside.is_dir():
            raise DataError("That dataset cannot be restored: another was deleted after it.")
        return _read(aside.rename(folder))

    def _sample(self, alias: str) -> PreparedDataset:
        with self._preparing:
            path = sample_path(alias)
            digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
            for dataset in self.list():
                if (
                    dataset.provenance.get("sample") == alias
                    and dataset.provenance.get("sha256") == digest
                ):
                    return dataset
            return self.prepare(alias, alias, provenance={"sample": alias, "sha256": digest})

    def _keep(
        self,
        reading: SourceReading,
        name: str,
        options: PrepareOptions,
        provenance: JsonObject,
        progress: Progress | None = None,
    ) -> PreparedDataset:
        stream = reading.stream
        identifier = new_id("dataset")
        folder = self.workspace.datasets / f".{identifier}"
        try:
            folder.mkdir()
            cleaned = clean(reading, options, progress)
            files = {split: folder / f"{split}.parquet" for split in cleaned.splits}
            fingerprint = write_splits(reading, cleaned, files)
            dataset = PreparedDataset(
                id=identifier,
                name=self._free_name(name),
                type=stream.format.type,
                format=stream.format.name,
                source=stream.located.name,
                rows={split: len(rows) for split, rows in cleaned.splits.items()},
                fingerprint=fingerprint,
                steps=cleaned.steps,
                created=time.time(),
                folder=folder,
                provenance=provenance,
                problems=dict(reading.problems.counts),
                notes=list(stream.notes),
            )
            write_json(folder / "dataset.json", dataset.as_dict())
            final = put_in_place(folder, self.workspace.datasets / identifier)
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            if isinstance(error, WorkspaceError):
                raise
            raise WorkspaceError(
                f"The dataset could not be stored: {error}. Check the disk."
            ) from error
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return replace(dataset, folder=final)

    def _free_name(self, name: str) -> str:
        taken = {dataset.name for dataset in self.list()}
        candidate, number = name, 1
        while candidate in taken:
            number += 1
            candidate = f"{name} {number}"
        return candidate


def _read(folder: Path) -> PreparedDataset:
    path = folder / "dataset.json"
    try:
        held = {**read_json(path), "folder": folder}
        return checked(PreparedDataset, held, path)
    except DamagedRecord:
        raise
    except OSError as error:
        raise WorkspaceError(
            f"dataset.json of {folder.name} cannot be read ({error}). Delete that folder, "
            "or restore it."
        ) from error


def _plain_name(name: str) -> str:
    path = Path(name)
    for suffix in reversed(path.suffixes):
        if suffix.lower() in (*PACKED, *SUFFIXES):
            name = name[: -len(suffix)]
    return name.rsplit("/", 1)[-1] or "dataset"


def _shown(source: Source | SourceReading) -> str | list[str]:
    if isinstance(source, SourceReading):
        return source.located.name
    if isinstance(source, list | tuple):
        return [str(item) for item in source]
    return str(source)
