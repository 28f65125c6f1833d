"""Documents: text, Markdown, HTML, PDF and Word as text (`sheets`: Excel's as tables).

Everything is bounded before it is unpacked: bytes of a file, what a zip says it holds, pages of a
PDF, columns of a sheet. What cannot be read ends in one sentence.
"""

from __future__ import annotations

import io
import itertools
import re
import zipfile
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from studio.core.errors import DataError
from studio.data.readers.chunks import Chunking, chunked
from studio.data.readers.encodings import Note, open_bytes, open_text
from studio.data.types import RawRow

MAX_DOCUMENT = 256 << 20
"""Bytes of a document, and of what a packed one unpacks to."""
MAX_PAGES = 10_000
_MOST_PACKED = 200
_SMALL = 1 << 20  # bytes of a zip's member that may be packed however well
_OCR = "Run OCR on it first, such as ocrmypdf, and bring the result"


def read_document(
    path: Path, kind: str, head: bytes, note: Note, how: Chunking
) -> Iterator[RawRow]:
    """The chunks of a document as rows with `text`."""
    texts = _TEXTS[kind](path, head, note)
    number = 0
    for number, chunk in enumerate(chunked(texts, how), 1):
        yield RawRow(number, {"text": chunk}, path.name)
    if not number:
        raise DataError(f"{path.name} holds no text.")
    note(how.describe(path.name, number))


# ---- text ----------------------------------------------------------------------------------------


def _plain(path: Path, head: bytes, note: Note) -> str:
    with open_text(path, head, note) as file:
        text = file.read(MAX_DOCUMENT)
        if file.read(1):
            raise DataError(
                f"{path.name} is longer than {MAX_DOCUMENT >> 20} MB. Split it into several files."
            )
    return text


_VERBATIM = {"pre", "listing", "xmp", "textarea"}
_KEEP, _FREE = {ord(" "): "\ufdd0"}, {0xFDD0: " "}  # a character that no text holds
_HIDDEN = {"script", "style", "head", "template", "noscript", "svg", "nav", "iframe"}
_BLOCKS = {
    *("p", "div", "section", "article", "header", "footer", "main", "aside", "blockquote", "pre"),
    *("h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "dl", "table", "figure", "hr", "form"),
}
_LINES = {"br", "li", "tr", "dt", "dd", "caption", "figcaption", "option"}


class _Visible(HTMLParser):
    """The text a reader of the page sees, block elements as paragraphs."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self._hidden: list[str] = []
        self._verbatim = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _HIDDEN:
            self._hidden.append(tag)
        self._verbatim += tag in _VERBATIM
        self._border(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._hidden:  # an unclosed one inside ends with it
            del self._hidden[self._hidden.index(tag) :]
        elif tag == "body":
            self._hidden.clear()
        if tag in _VERBATIM:
            self._verbatim = max(0, self._verbatim - 1)
        self._border(tag)

    def _border(self, tag: str) -> None:
        if tag in _BLOCKS:
            self.found.append("\n\n")
        elif tag in _LINES:
            self.found.append("\n")
        elif tag in ("td", "th"):
            self.found.append(" ")

    def handle_data(self, data: str) -> None:
        if self._hidden:
            return
        if self._verbatim:  # its spaces pass under another character
            self.found.append(data.expandtabs(8).translate(_KEEP))
            return
        words = " ".join(data.split())
        before = " " if data[:1].isspace() else ""
        after = " " if data[-1:].isspace() and words else ""
        self.found.append(f"{before}{words}{after}")


def _html(path: Path, head: bytes, note: Note) -> str:
    page = _Visible()
    page.feed(_plain(path, head, note))
    page.close()
    lines = "".join(page.found).split("\n")
    return "\n".join(re.sub(r"  +", " ", line).strip(" \t\r\f") for line in lines).translate(_FREE)


# ---- PDF -----------------------------------------------------------------------------------------


def _pdf(path: Path, head: bytes, note: Note) -> str:
    import logging

    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    logging.getLogger("pypdf").setLevel(logging.ERROR)  # it warns of every odd object
    try:
        reader = PdfReader(io.BytesIO(whole(path)))
        if reader.is_encrypted and not reader.decrypt(""):
            raise DataError(f"{path.name} is locked with a password. Save it without one.")
        if len(reader.pages) > MAX_PAGES:
            raise DataError(
                f"{path.name} has {len(reader.pages):,} pages; at most {MAX_PAGES:,} are read. "
                "Split it into several files."
            )
        pages = [page.extract_text() for page in _bounded(reader.pages, path)]
    except DataError:
        raise
    except (PyPdfError, *BROKEN) as error:
        raise damaged(path, "PDF", error) from error
    without = sum(not page.strip() for page in pages)
    if without == len(pages):
        held = f"{len(pages):,} pages" if len(pages) != 1 else "1 page"
        raise DataError(f"{path.name} has {held} and no text: it is a scan, a picture. {_OCR}.")
    if without:
        note(f"{without:,} of {len(pages):,} pages of {path.name} have no text; scans need OCR.")
    return "\n\n".join(pages)


def _bounded(pages: Any, path: Path) -> Iterator[Any]:
    """Pages whose instructions are of a size that text has."""
    total = 0
    for page in pages:
        contents = page.get_contents()
        total += len(contents.get_data()) if contents is not None else 0
        if total > MAX_DOCUMENT:
            raise DataError(
                f"{path.name} unpacks to over {MAX_DOCUMENT >> 20} MB, which no text is."
            )
        yield page


# ---- Office files --------------------------------------------------------------------------------


def _docx(path: Path, head: bytes, note: Note) -> str:
    from docx import Document
    from docx.opc.exceptions import OpcError
    from docx.table import Table
    from lxml.etree import LxmlError

    try:
        document = Document(io.BytesIO(unzippable(path)))
        parts = [
            _table_text(part) if isinstance(part, Table) else part.text
            for part in document.iter_inner_content()
        ]
    except DataError:
        raise
    except (OpcError, LxmlError, zipfile.BadZipFile, *BROKEN) as error:
        raise damaged(path, "Word file", error) from error
    return "\n\n".join(part for part in parts if part.strip())


def _table_text(table: Any) -> str:
    """A table's rows as lines; a cell that spans several stands once."""
    lines = []
    for row in table.rows:
        cells = [next(same).text.strip() for _, same in itertools.groupby(row.cells, key=id)]
        lines.append(" | ".join(cells))
    return "\n".join(lines)


def unzippable(path: Path) -> bytes:
    """An Office file's bytes; refused where it would unpack to far more than text does."""
    data = whole(path)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = archive.infolist()
        total = sum(member.file_size for member in members)
        packed = [
            member
            for member in members
            if member.file_size > _SMALL
            and member.file_size > _MOST_PACKED * max(1, member.compress_size)
        ]
    if total > MAX_DOCUMENT or packed:
        raise DataError(
            f"{path.name} would unpack from {len(data):,} bytes to {total:,}, which is no text. "
            "Save it again, without pictures."
        )
    return data


# ---- all of them ---------------------------------------------------------------------------------


def whole(path: Path) -> bytes:
    """All bytes of a file, unpacked; a `DataError` where they are too many."""
    with open_bytes(path) as file:
        data = file.read(MAX_DOCUMENT + 1)
    if len(data) > MAX_DOCUMENT:
        raise DataError(
            f"{path.name} is larger than {MAX_DOCUMENT >> 20} MB. Split it into several files."
        )
    return data


# What parsers of broken files raise beside their own errors.
BROKEN = (
    *(ValueError, KeyError, IndexError, TypeError, AttributeError, AssertionError),
    *(RecursionError, OverflowError, ArithmeticError, NotImplementedError, EOFError, OSError),
)


def damaged(path: Path, what: str, error: Exception) -> DataError:
    reason = (str(error).splitlines() or [type(error).__name__])[0][:120].rstrip(".")
    return DataError(
        f"{path.name} is damaged, or no {what} that can be read: {reason}. Save it again."
    )


_TEXTS = {"text": _plain, "html": _html, "pdf": _pdf, "docx": _docx}
