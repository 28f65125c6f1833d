"""Look at a source: what it is, what loads, what is wrong with the rest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from studio.data.column_template import ColumnTemplate, Templated
from studio.data.prepared.reading import First, SourceReading, read_located
from studio.data.readers.chunks import Chunking
from studio.data.readers.joined_files import find_join
from studio.data.readers.sources import Source, locate
from studio.data.types import Inspection, Progress


def read(
    source: Source,
    *,
    config: str | None = None,
    split: str | None = None,
    format: str | None = None,
    mapping: dict[str, str] | None = None,
    limit: int | None = None,
    progress: Progress | None = None,
    first: First | None = None,
    token: str | None = None,
    folder: Path | None = None,
    near: bool = True,
    chunks: Chunking | None = None,
    template: ColumnTemplate | None = None,
    encoding: str | None = None,
) -> SourceReading:
    """Read a source to its end (or to `limit` rows), and keep its rows at hand until closed.

    `source`: a file, a list of files, a folder of shards, a shipped sample's alias, or a Hub id
    (with `config`, `split` such as `train[:500]`, and `token`). Files that hold several models'
    answers to the same prompts are joined, see `studio.data.readers.joined_files`. `format` and
    `mapping` (field to column) overrule the detector. `first` is called once with what the
    first rows show, long before a large file ends; then `progress` counts. `near=False` leaves
    out the search for near duplicates. `chunks`: how documents are cut.
    `template` writes each row's columns into a prompt before its format is judged. `encoding`
    overrules the guess for text files that are not UTF-8. Raises `DataError` with one sentence
    where nothing can be read, and `Cancelled` where `progress` says so.
    """
    located = locate(source, config=config, split=split, token=token, encoding=encoding)
    located = replace(located, chunks=chunks)
    joined = None if format or mapping or template else find_join(located.name, located.files)
    return read_located(
        Templated(located, template) if template else joined or located,
        format=format,
        mapping=mapping,
        limit=limit,
        progress=progress,
        first=first,
        folder=folder,
        near=near,
    )


def inspect(source: Source, **how: Any) -> Inspection:
    """What `read` finds, without keeping the rows at hand; `how` is `read`'s."""
    with read(source, **how) as reading:
        return reading.inspection()
