"""Sheets of an Excel file as rows of a table."""

from __future__ import annotations

import datetime
import io
import itertools
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from studio.core.errors import DataError
from studio.core.formatting import plural
from studio.data.readers.documents import BROKEN, damaged, unzippable
from studio.data.readers.encodings import Note
from studio.data.readers.tables import MAX_COLUMNS, is_header
from studio.data.types import RawRow

_MOST_TITLES = 5  # rows above a table's header
_UNSAVED = re.compile(rb"<f\b[^>]*(?:/>|>[^<]*</f>)\s*(?:<v\s*/>|<v>\s*</v>|</c>)")


def read_xlsx(path: Path, note: Note) -> Iterator[RawRow]:
    """The rows of the first sheet that has any, and of further ones with the same columns.

    Hidden sheets and titles above a table are left out. Formulas are read as the values they had
    when the file was saved; what has none is counted.
    """
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    wrong = (InvalidFileException, zipfile.BadZipFile, SyntaxError, *BROKEN)
    try:
        content = unzippable(path)
        if not any("sheets/" in name for name in zipfile.ZipFile(io.BytesIO(content)).namelist()):
            raise DataError(
                f"{path.name} is an Excel file without a sheet in it. Save it again, or as .csv."
            )
        if count := _unsaved_formulas(content):
            note(
                f"{path.name}: {plural(count, 'formula')} without a saved value, read as empty. "
                "Open the file in Excel or LibreOffice and save it."
            )
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        yield from _sheets(book, path, note)
    except DataError:
        raise
    except wrong as error:
        raise damaged(path, "Excel file", error) from error


def _sheets(book: Any, path: Path, note: Note) -> Iterator[RawRow]:
    names: list[str] = []
    number, others = 0, []
    hidden = [sheet.title for sheet in book.worksheets if sheet.sheet_state != "visible"]
    for sheet in book.worksheets:
        if sheet.title in hidden:
            continue
        sheet.reset_dimensions()  # a file may claim a million columns, and every row is padded
        rows = (list(cells) for cells in sheet.iter_rows(values_only=True))
        rows = (cells for cells in rows if any(cell is not None for cell in cells))
        sample = list(itertools.islice(rows, 200))
        if not sample:
            continue
        sample = sample[_titles(sample) :]
        found, start = _names(sample, path)
        if names and found != names:
            others.append(sheet.title)
            continue
        names = found
        for cells in itertools.chain(sample[start:], rows):
            number += 1
            row = {name: _cell(cell) for name, cell in itertools.zip_longest(names, cells) if name}
            yield RawRow(number, row, path.name)
    if not number:
        raise DataError(f"{path.name} is empty: there are no rows in it.")
    if others:
        left = ", ".join(others[:5])
        note(f"{path.name}: sheets with other columns are left out ({left}); save them as files.")
    if hidden:
        note(f"{path.name}: hidden sheets are left out ({', '.join(hidden[:5])}).")


def _unsaved_formulas(content: bytes) -> int:
    """Cells whose formula has no value: files of libraries that compute nothing, such as
    openpyxl's."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        sheets = [name for name in archive.namelist() if name.startswith("xl/worksheets/")]
        return sum(len(_UNSAVED.findall(archive.read(name))) for name in sheets)


def _titles(sample: list[list[Any]]) -> int:
    """How many rows at the top are titles of the table: one filled cell above rows of several."""
    filled = [sum(cell not in (None, "") for cell in cells) for cells in sample]
    first = next((at for at, count in enumerate(filled) if count > 1), 0)
    several = sum(count > 1 for count in filled[first:])
    return first if first <= _MOST_TITLES and several > 1 and several >= len(filled) // 2 else 0


def _names(sample: list[list[Any]], path: Path) -> tuple[list[str], int]:
    """Column names, and where the rows begin."""
    width = max(len(cells) for cells in sample)
    if width > MAX_COLUMNS:
        raise DataError(
            f"{path.name} has {width:,} columns; at most {MAX_COLUMNS:,} can be rows of text."
        )
    texts = [["" if cell is None else str(cell) for cell in cells] for cells in sample]
    first = texts[0] + [""] * (width - len(texts[0]))
    headed = len(sample) > 1 and is_header(first, texts[1:])
    names: dict[str, None] = {}  # by name: a thousand alike would be compared for seconds
    for at, cell in enumerate(first):
        name = (cell.strip() if headed else "") or f"column_{at + 1}"
        while name in names:
            name += "_2"
        names[name] = None
    return list(names), int(headed)


def _cell(value: object) -> object:
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return str(value) if isinstance(value, datetime.timedelta) else value
