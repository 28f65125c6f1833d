"""Kept rows into files, parquet or JSON Lines, a batch at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq

from studio.core.errors import DataError
from studio.core.workspace import written_whole
from studio.data.arrow_schema import Shape, parsed
from studio.data.prepared.cleaning import Cleaned, clean
from studio.data.prepared.inspect import read
from studio.data.prepared.prepare_options import PrepareOptions
from studio.data.prepared.questions import refuse_open
from studio.data.prepared.reading import SourceReading
from studio.data.readers.sources import Source
from studio.data.types import JsonObject, Progress

_PARQUET: JsonObject = {"compression": "snappy", "use_dictionary": False}
"""Texts differ from row to row, so a dictionary of them is only work."""


def prepare_to_file(
    source: Source,
    out: str | Path,
    options: PrepareOptions | None = None,
    progress: Progress | None = None,
    test_out: str | Path | None = None,
) -> JsonObject:
    """Write the kept rows to `out` (.jsonl or .parquet) in TRL's form, and say what was done.

    Everything goes into `out` unless `test_out` names a second file for the test split.
    """
    options = options or PrepareOptions()
    if test_out is None:
        options = replace(options, test_fraction=0.0)
    files = {"train": Path(out), **({"test": Path(test_out)} if test_out else {})}
    for path in files.values():
        if path.suffix not in (".jsonl", ".parquet"):
            raise DataError(
                f"{path.name} ends in {path.suffix or 'nothing'}; name it .jsonl or .parquet."
            )
        if not path.parent.is_dir():
            raise DataError(f"There is no folder {path.parent} to write {path.name} into.")
    with open_reading(source, options, progress, Path(out).parent) as reading:
        refuse_open(reading.stream)
        cleaned = clean(reading, options, progress)
        stream = reading.stream
        fingerprint = write_splits(reading, cleaned, files)
        return {
            "out": str(out),
            "format": stream.format.name,
            "type": stream.format.type,
            "rows": reading.rows,
            "kept": sum(len(rows) for rows in cleaned.splits.values()),
            "splits": {split: len(rows) for split, rows in cleaned.splits.items()},
            "problems": dict(reading.problems.counts),
            "steps": cleaned.steps,
            "notes": list(stream.notes),
            "fingerprint": fingerprint,
        }


def open_reading(
    source: Source, options: PrepareOptions, progress: Progress | None, folder: Path | None = None
) -> SourceReading:
    """A source read to its end under some options, its rows kept in `folder` meanwhile."""
    return read(
        source,
        config=options.config,
        split=options.split,
        token=options.token,
        format=options.format,
        mapping=options.mapping,
        encoding=options.encoding,
        limit=options.limit,
        progress=progress,
        folder=folder,
        chunks=options.chunking(),
        template=options.column_template(),
    )


def write_splits(reading: SourceReading, cleaned: Cleaned, files: dict[str, Path]) -> str:
    """Write each split to its file; returns the fingerprint: a hash of the type and of every
    row's own hash, in order; where a row came from is no part of it."""
    digest = hashlib.sha256(reading.stream.format.type.encode())
    for split, positions in cleaned.splits.items():
        digest.update(f"\n{split}\n".encode())
        digest.update(reading.digests[positions].astype("<u8").tobytes())
        _write(files[split], reading.shape, reading.spool.raw(positions))
    return digest.hexdigest()


def _write(path: Path, shape: Shape, rows: Iterator[bytes]) -> None:
    with written_whole(path) as part:
        if path.suffix == ".jsonl":
            with part.open("wb") as file:
                file.writelines(raw + b"\n" for raw in rows)
        else:
            schema = shape.features().arrow_schema
            with pq.ParquetWriter(part, schema, **_PARQUET) as writer:
                for table in parsed(rows, shape):
                    writer.write_table(table)
