"""Look at a source without keeping anything: what it is, what loads, what is wrong with the
rest."""

from __future__ import annotations

from studio.data.pipeline import Stream
from studio.data.sources import Source, locate
from studio.data.types import Inspection, Progress

SAMPLE_ROWS = 5


def inspect(
    source: Source,
    *,
    config: str | None = None,
    split: str | None = None,
    format: str | None = None,
    mapping: dict[str, str] | None = None,
    limit: int | None = None,
    progress: Progress | None = None,
    token: str | None = None,
) -> Inspection:
    """Read a source to its end (or to `limit` rows) and say what it holds.

    `source`: a file, a list of files, a folder of shards, a shipped sample's alias, or a Hub id
    (with `config`, `split` such as `train[:500]`, and `token`). `format` and `mapping` (field to
    column) overrule the detector. Raises `DataError` with one sentence where nothing can be read.
    """
    located = locate(source, config=config, split=split, token=token)
    stream = Stream(located, format=format, mapping=mapping, limit=limit, progress=progress)
    kept, sample = 0, []
    for checked in stream:
        if checked.row is None or checked.errors:
            continue
        kept += 1
        if len(sample) < SAMPLE_ROWS:
            sample.append(checked.row)
    return Inspection(
        source=located.name,
        format=stream.format.name,
        type=stream.format.type,
        confidence=stream.format.confidence,
        why=stream.format.why,
        rows=stream.rows,
        kept=kept,
        columns=stream.columns,
        mapping=dict(stream.format.mapping),
        problems=stream.problems.listed,
        sample=sample,
        problem_counts=dict(stream.problems.counts),
        notes=stream.notes,
    )
