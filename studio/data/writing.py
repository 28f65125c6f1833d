"""Kept rows into files, parquet or JSON Lines, a batch at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq

from studio.data.cleaning import Cleaned, PrepareOptions, clean
from studio.data.pipeline import Stream
from studio.data.schema import tables
from studio.data.sources import Source, locate
from studio.data.types import Progress
from studio.errors import DataError, WorkspaceError

_COMPRESSION = "zstd"


def prepare_to_file(
    source: Source,
    out: str | Path,
    options: PrepareOptions | None = None,
    progress: Progress | None = None,
    test_out: str | Path | None = None,
) -> dict[str, Any]:
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
    stream = open_stream(source, options, progress)
    cleaned = clean(stream, options, Path(out).parent)
    with cleaned.spool:
        fingerprint = write_splits(cleaned, stream.format.type, files)
    return {
        "out": str(out),
        "format": stream.format.name,
        "type": stream.format.type,
        "rows": stream.rows,
        "kept": sum(len(rows) for rows in cleaned.splits.values()),
        "splits": {split: len(rows) for split, rows in cleaned.splits.items()},
        "problems": dict(stream.problems.counts),
        "steps": cleaned.steps,
        "notes": stream.notes,
        "fingerprint": fingerprint,
    }


def open_stream(source: Source, options: PrepareOptions, progress: Progress | None) -> Stream:
    """The checked stream of a source under some options."""
    located = locate(source, config=options.config, split=options.split, token=options.token)
    return Stream(
        located,
        format=options.format,
        mapping=options.mapping,
        limit=options.limit,
        progress=progress,
    )


def write_splits(cleaned: Cleaned, type: str, files: dict[str, Path]) -> str:
    """Write each split to its file; returns the fingerprint: a hash of the type and every row."""
    digest = hashlib.sha256(type.encode())
    for split, indices in cleaned.splits.items():
        digest.update(f"\n{split}\n".encode())
        _write(files[split], cleaned, _hashed(cleaned.spool.raw(indices), digest))
    return digest.hexdigest()


def _hashed(rows: Iterator[bytes], digest: Any) -> Iterator[bytes]:
    for raw in rows:
        digest.update(raw)
        yield raw


def _write(path: Path, cleaned: Cleaned, rows: Iterator[bytes]) -> None:
    """Beside its place first, so that a failure leaves no half file under the name."""
    part = path.with_name(f".{path.name}.part")
    try:
        if path.suffix == ".jsonl":
            with part.open("wb") as file:
                file.writelines(raw + b"\n" for raw in rows)
        else:
            schema = cleaned.spool.shape.features().arrow_schema
            with pq.ParquetWriter(part, schema, compression=_COMPRESSION) as writer:
                for table in tables(_batched(rows), cleaned.spool.shape):
                    writer.write_table(table)
        part.replace(path)
    except OSError as error:
        reason = error.strerror or error
        raise WorkspaceError(f"{path.name} could not be written: {reason}.") from error
    finally:
        part.unlink(missing_ok=True)


def _batched(rows: Iterator[bytes], size: int = 1000) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    for raw in rows:
        batch.append(orjson.loads(raw))
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
