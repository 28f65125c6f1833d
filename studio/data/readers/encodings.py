"""Which encoding and which kind of file the bytes are, judged by the bytes and only then by the
name."""

from __future__ import annotations

import codecs
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from studio.core.errors import DataError
from studio.data.readers.legacy_encodings import guessed
from studio.data.types import Notes

Note = Callable[[str], None]

HEAD = 1 << 20
"""Bytes looked at to judge a file."""

SUFFIXES = {
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".xlsx": "xlsx",
    ".txt": "text",
    ".md": "text",
    ".markdown": "text",
    ".html": "html",
    ".htm": "html",
    ".pdf": "pdf",
    ".docx": "docx",
}
DOCUMENTS = ("text", "html", "pdf", "docx")
"""Kinds that hold text in place of rows."""
PACKED = (".gz", ".zst")
READ = (
    "json, jsonl, csv, tsv, xlsx, parquet or arrow, or documents as txt, md, html, pdf or docx, "
    "plain or packed as .gz or .zst"
)
"""What the studio reads, for messages."""
_ZSTD = b"\x28\xb5\x2f\xfd"
_WINDOW = 1 << 27  # bytes; what zstd --long needs by default
_FED = 1 << 11  # packed bytes at once: they unpack to 64 MB at most

_MAGIC = (
    (b"PAR1", "parquet"),
    (b"ARROW1", "arrow"),
    (b"\xff\xff\xff\xff", "arrow"),
    (b"%PDF", "pdf"),
)
_OFFICE = ((b"word/", "docx"), (b"xl/", "xlsx"))
_FOREIGN = (
    (b"PK\x03\x04", "a zip archive (or an Office file)", "Unpack it and bring the files inside it"),
    (b"PK\x05\x06", "an empty zip archive", "Bring the data files themselves"),
    (b"\xd0\xcf\x11\xe0", "an Office file from before 2007", "Save it as .docx or .xlsx"),
    (b"7z\xbc\xaf", "a 7z archive", "Unpack it and bring the files inside it"),
    (b"BZh", "a bzip2 archive", "Unpack it, or compress it with gzip"),
    (b"\xfd7zXZ", "an xz archive", "Unpack it, or compress it with gzip"),
    (b"SQLite format 3", "an SQLite database", "Export the table you mean as CSV"),
    (b"\x89PNG", "an image", "Bring text data"),
    (b"\xff\xd8\xff", "an image", "Bring text data"),
    (b"\x80\x02", "a pickle, which may run code when opened", "Save the data as JSONL"),
    (b"\x80\x04", "a pickle, which may run code when opened", "Save the data as JSONL"),
)


def data_suffix(path: Path) -> str | None:
    """The kind named by the file's suffix, seeing through `.gz` and `.zst`; None where the name
    says nothing."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in PACKED:
        suffixes.pop()
    return SUFFIXES.get(suffixes[-1]) if suffixes else None


def open_bytes(path: Path, note: Note | None = None) -> BinaryIO:
    """The file's bytes, unpacked where they are gzip or zstandard (by their first bytes, whatever
    the name)."""
    try:
        file = path.open("rb", buffering=1 << 18)
        head = file.read(4)
        file.seek(0)
        if isinstance(note, Notes):
            note.watch(file, path.stat().st_size)
        if head.startswith(b"\x1f\x8b"):
            return _Unpacked(gzip.GzipFile(fileobj=file), file)  # type: ignore[return-value]
        return _Unpacked(_Zstd(file), file) if head == _ZSTD else file  # type: ignore[return-value]
    except OSError as error:
        raise DataError(f"{path.name} cannot be opened: {error.strerror or error}.") from error


class _Unpacked(io.BufferedReader):
    """An unpacked file that closes the file under it."""

    def __init__(self, unpacked: Any, packed: BinaryIO):
        super().__init__(unpacked, 1 << 18)
        self._packed = packed

    def close(self) -> None:
        super().close()
        self._packed.close()


class _Zstd(io.RawIOBase):
    """The bytes of a zstandard file, frame after frame; whatever is wrong is an `OSError`, as with
    gzip. The library's own reader takes a file that breaks off for one that ends."""

    def __init__(self, file: BinaryIO):
        import zstandard

        self._file, self._wrong = file, zstandard.ZstdError
        self._begin = zstandard.ZstdDecompressor(max_window_size=_WINDOW).decompressobj
        self._frame = self._begin()
        self._fresh, self._held = True, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._held:
            packed = self._file.read(_FED)
            if not packed and self._fresh:
                return 0
            if not packed:
                raise OSError("zstandard: the file breaks off")
            self._held = self._unpack(packed)
        part, self._held = self._held[: len(buffer)], self._held[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)

    def _unpack(self, packed: bytes) -> bytes:
        found = []
        try:
            while packed:
                found.append(self._frame.decompress(packed))
                self._fresh, packed = self._frame.eof, self._frame.unused_data
                if self._fresh:
                    self._frame = self._begin()
        except self._wrong as error:
            raise OSError(f"zstandard: {error}") from error
        return b"".join(found)


def read_head(path: Path) -> bytes:
    """The first `HEAD` bytes, unpacked; a sentence where the gzip is broken."""
    try:
        with open_bytes(path) as file:
            return file.read(HEAD)
    except (OSError, EOFError) as error:
        raise DataError(
            f"{path.name} looks packed but does not unpack ({error}). Download or pack it again."
        ) from error


def judge(path: Path, head: bytes) -> str:
    """A kind of `SUFFIXES`; `DataError` for an empty, binary or unknown file."""
    if not head.strip(b"\xef\xbb\xbf\xff\xfe \t\r\n"):
        raise DataError(f"{path.name} is empty: there are no rows in it.")
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head.startswith(b"PK\x03\x04") and (office := _office(path, head)):
        return office
    for magic, what, remedy in _FOREIGN:
        if head.startswith(magic):
            raise DataError(f"{path.name} is {what}, not a data file the studio reads. {remedy}.")
    named = data_suffix(path)
    if named in ("parquet", "arrow", "pdf", "docx", "xlsx"):
        raise DataError(
            f"{path.name} is named .{named} but does not start like one: it is damaged."
        )
    if text_encoding(head) is None:
        raise DataError(f"{path.name} holds binary data, not text. Bring {READ}.")
    if named is None:
        first = decode_head(head).lstrip()[:1]
        if first not in ("[", "{"):
            raise DataError(
                f"{path.name} has a name the studio does not know. Bring {READ}, and name the "
                "file by what it is."
            )
        return "json"
    if named == "text" and _is_table(head):
        return "csv"
    return "json" if named == "text" and _is_json(head) else named


def _is_table(head: bytes) -> bool:
    """Whether every line of a text has the same number of tabs or bars, one at least."""
    lines = [line for line in decode_head(head).splitlines()[:200] if line.strip()]
    lines = lines[:-1] if len(lines) > 20 else lines  # the last may be cut
    counts = [{line.count(mark) for line in lines} for mark in "\t|"]
    return len(lines) >= 4 and any(len(seen) == 1 and 0 not in seen for seen in counts)


def _office(path: Path, head: bytes) -> str | None:
    """Which Office file a zip is: by its suffix, or else by the names in its first bytes."""
    named = data_suffix(path)
    if named in ("docx", "xlsx"):
        return named
    return next((kind for mark, kind in _OFFICE if mark in head), None)


def _is_json(head: bytes) -> bool:
    """Whether a text's first line is a JSON object, or an array begins there."""
    line = decode_head(head).lstrip("\ufeff \t\r\n").split("\n", 1)[0].strip()
    if line[:1] == "{" and line[-1:] == "}":
        try:
            return isinstance(json.loads(line), dict)
        except (json.JSONDecodeError, RecursionError):
            return False
    return line in ("[", "{") or line.startswith("[{")


def text_encoding(head: bytes, told: str | None = None) -> str | None:
    """Encoding of a text file from its head; None when it is not text at all.

    A BOM decides; else UTF-16 by its zero bytes; else UTF-8 if it decodes, or if most of the lines
    beyond ASCII do; else `told`, what a person said; else what `guessed` finds.
    """
    for bom, name in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF32_LE, "utf-32"),
        (codecs.BOM_UTF32_BE, "utf-32"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if head.startswith(bom):
            return name
    if b"\x00" in head:
        return _utf16_without_bom(head)
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head, final=len(head) < HEAD)
        return None if _mostly_control(head) else "utf-8"
    except UnicodeDecodeError:
        if _mostly_control(head):
            return None
        return told or ("utf-8" if _mostly_utf8(head) else guessed(head).encoding)


def _mostly_utf8(head: bytes) -> bool:
    """Whether most lines beyond ASCII are UTF-8: then the others are strays in such a file."""
    lines = [line for line in head.split(b"\n")[:-1] or [head] if not line.isascii()]
    return 2 * sum(map(_is_utf8, lines)) > len(lines)


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def decode_head(head: bytes, note: Note | None = None) -> str:
    """The head as text, for judging only (broken edges replaced)."""
    return head.decode(text_encoding(head, _told(note)) or "utf-8", errors="replace")


def _told(note: Note | None) -> str | None:
    return note.encoding if isinstance(note, Notes) else None


def name_encoding(encoding: str, path: Path, head: bytes, note: Note) -> None:
    """Say which encoding other than UTF-8 a file is read in, and which others fit as well."""
    if encoding in ("utf-8", "utf-8-sig"):
        return
    shown = "Windows-1252 (cp1252)" if encoding == "cp1252" else encoding.upper()
    said = f"{path.name} is {shown}, not UTF-8; it was read as such."
    wide = encoding in ("utf-16", "utf-32", "utf-16-le", "utf-16-be")
    others = () if wide or _told(note) else guessed(head).others
    if others:
        said += f" {' and '.join(others)} would fit too: choose with --encoding."
    if isinstance(note, Notes) and not wide:
        note.encodings += [encoding, *others]
    note(said)


def _utf16_without_bom(head: bytes) -> str | None:
    even, odd = head[0::2].count(0), head[1::2].count(0)
    half = max(1, len(head) // 2)
    if odd > 0.3 * half and even < 0.05 * half:
        return "utf-16-le"
    if even > 0.3 * half and odd < 0.05 * half:
        return "utf-16-be"
    return None


def _mostly_control(head: bytes) -> bool:
    control = sum(head.count(byte) for byte in range(32) if byte not in (9, 10, 12, 13, 27))
    return control > max(2, len(head) // 100)


CP1252_FALLBACK = "studio-cp1252"
"""Codec error handler: bytes the encoding refuses are read as cp1252."""


def _as_cp1252_handler(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return _as_cp1252(error.object[error.start : error.end]), error.end


codecs.register_error(CP1252_FALLBACK, _as_cp1252_handler)


def open_text(path: Path, head: bytes, note: Note, newline: str = "") -> io.TextIOWrapper:
    """The file as text, line ends untouched; an encoding other than UTF-8 is named in a note."""
    encoding = text_encoding(head, _told(note)) or "utf-8"
    name_encoding(encoding, path, head, note)
    return io.TextIOWrapper(
        open_bytes(path, note), encoding, errors=CP1252_FALLBACK, newline=newline
    )


def _as_cp1252(raw: bytes) -> str:
    try:
        return raw.decode("cp1252")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def line_decoder(head: bytes, note: Note, path: Path) -> Callable[[bytes], str]:
    """A decoder of single lines in the file's encoding; what that refuses is read as cp1252, said
    once."""
    encoding = text_encoding(head, _told(note)) or "utf-8"
    name_encoding(encoding, path, head, note)
    said = False

    def decode(line: bytes) -> str:
        nonlocal said
        try:
            return line.decode(encoding)
        except UnicodeDecodeError:
            if not said:
                said = True
                note(
                    f"{path.name} is not all {encoding.upper()}: the other bytes were read as "
                    "Windows-1252 (cp1252)."
                )
            return _as_cp1252(line)

    return decode
