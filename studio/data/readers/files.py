"""From files to numbered rows, whatever the files are."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from studio.core.errors import DataError
from studio.data.readers.chunks import Chunking
from studio.data.readers.documents import read_document
from studio.data.readers.encodings import DOCUMENTS, judge, read_head
from studio.data.readers.json_files import read_json
from studio.data.readers.sheets import read_xlsx
from studio.data.readers.tables import read_arrow, read_csv, read_parquet
from studio.data.types import RawRow


def read_files(
    files: Iterable[Path], note: Callable[[str], None], chunks: Chunking | None = None
) -> Iterator[RawRow]:
    """Rows of every file in turn; numbers start again at 1 in each file.

    Raises `DataError` with one sentence for a file that is empty, binary, packed or damaged.
    """
    for path in files:
        yield from read_file(path, note, chunks)


def read_file(
    path: Path, note: Callable[[str], None] = lambda _: None, chunks: Chunking | None = None
) -> Iterator[RawRow]:
    """Rows of one file, those of a document being its chunks; `note` receives what a person should
    know (encoding, header, shape)."""
    head = read_head(path)
    kind = judge(path, head)
    try:
        if kind in ("json", "jsonl"):
            yield from read_json(path, kind, head, note)
        elif kind in ("csv", "tsv"):
            yield from read_csv(path, kind, head, note)
        elif kind in DOCUMENTS:
            yield from read_document(path, kind, head, note, chunks or Chunking())
        elif kind == "xlsx":
            yield from read_xlsx(path, note)
        elif kind == "parquet":
            yield from read_parquet(path, note)
        else:
            yield from read_arrow(path, head, note)
    except (EOFError, zlib.error, OSError) as error:
        raise DataError(f"{path.name} could not be read to its end: {error}.") from error
    except UnicodeError as error:
        raise DataError(f"{path.name} is not text in one encoding: {error}.") from error
