"""JSON and JSONL, read as a stream: one element at a time, never the whole file where it is a
list."""

from __future__ import annotations

import codecs
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from studio.core.errors import DataError
from studio.data.readers.encodings import (
    Note,
    decode_head,
    line_decoder,
    open_bytes,
    open_text,
    text_encoding,
)
from studio.data.readers.json_layouts import is_conversation, opened, rows_in
from studio.data.readers.json_stream import MAX_RECORD, Broken, Window
from studio.data.types import RawRow, RowError

MAX_WHOLE = 32 << 20
"""Characters of a file with an object at its root that is looked at whole."""
_CHUNK = 1 << 20
_SPACE = " \t\r\n"


def read_json(path: Path, kind: str, head: bytes, note: Note) -> Iterator[RawRow]:
    """Rows of a .json or .jsonl file; which of the two it really is, the content decides."""
    yield from opened(_read(path, kind, head, note), note)


def _read(path: Path, kind: str, head: bytes, note: Note) -> Iterator[RawRow]:
    really = _really(kind, decode_head(head, note))
    if really == "jsonl":
        if kind == "json":
            note(f"{path.name} holds one JSON value a line: read as JSON Lines.")
        yield from _read_lines(path, head, note)
        return
    if kind == "jsonl":
        note(f"{path.name} is one JSON document, not JSON Lines: read as such.")
    text = decode_head(head, note).lstrip("\ufeff" + _SPACE)
    if text.startswith("["):
        yield from _read_list(path, head, note)
    elif text.startswith("{"):
        yield from _read_object(path, head, note)
    else:
        raise DataError(
            f'{path.name} is not JSON: it starts with "{text[:24].strip()}". '
            "A JSON file starts with [ or {."
        )


SHOWN_RAW = 20_000
"""Bytes kept of a record that could not be read."""


def parse(text: str | bytes) -> Any:
    """One JSON value; orjson first (fast, strict), the standard library for NaN and odd escapes."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text)


def as_row(value: object, number: int, file: str) -> RawRow:
    """A JSON value as a row: objects as they are, lists as a conversation, strings as text."""
    if isinstance(value, dict):
        return RawRow(number, value, file)
    if isinstance(value, list):
        return RawRow(number, {"messages": value}, file)
    if isinstance(value, str):
        return RawRow(number, {"text": value}, file)
    shown = json.dumps(value)
    message = f"The record is {shown[:40]}, not an object with fields."
    return RawRow(number, {}, file, RowError("not_a_row", message), shown)


def _really(kind: str, text: str) -> str:
    lines = [line for line in text.lstrip("\ufeff").split("\n") if line.strip()]
    if not lines:
        return kind
    whole = len(lines) > 1
    first = _try(lines[0])
    if first is None:
        if kind == "json":
            # a JSONL file whose first line alone is broken still has whole values on the next ones
            later = [_try(line) for line in lines[1:4]] if whole else []
            return "jsonl" if later and all(isinstance(v, dict | list) for v in later) else "json"
        return "json" if lines[0].strip() in ("[", "{") or lines[0].startswith("[{") else "jsonl"
    if kind == "json":
        return "jsonl" if whole and _try(lines[1].rstrip(",")) is not None else "json"
    if whole or not isinstance(first, list):
        return "jsonl"
    return "jsonl" if is_conversation(first) else "json"


def _try(line: str) -> Any:
    try:
        value = parse(_without_comma(line))
    except ValueError:
        return None
    except RecursionError:
        return None
    return value if isinstance(value, dict | list) else None


def _read_lines(path: Path, head: bytes, note: Note) -> Iterator[RawRow]:
    encoding = text_encoding(head) or "utf-8"
    if encoding.startswith(("utf-16", "utf-32")):
        yield from _read_wide_lines(path, encoding, note)
        return
    decode = line_decoder(head, note, path)
    number = 0
    with open_bytes(path, note) as file:
        while line := file.readline(MAX_RECORD + 1):
            number += 1
            if number == 1:
                line = line.removeprefix(codecs.BOM_UTF8)
            if len(line) > MAX_RECORD:
                _skip_line(file)
                yield _broken(number, path, "This line is longer than 64 MB; split it into rows.")
            elif line.strip():
                yield _parse_line(line, number, path, decode)


def _read_wide_lines(path: Path, encoding: str, note: Note) -> Iterator[RawRow]:
    note(f"{path.name} is {encoding.upper()}.")
    with open_bytes(path, note) as raw, io.TextIOWrapper(raw, encoding, newline="\n") as file:
        for number, line in enumerate(_text_lines(file), 1):
            if line.strip():
                yield _parse_line(line.encode("utf-8", "surrogatepass"), number, path, None)


def _text_lines(file: io.TextIOWrapper) -> Iterator[str]:
    while line := file.readline(MAX_RECORD):
        yield line


def _parse_line(
    line: bytes, number: int, path: Path, decode: Callable[[bytes], str] | None
) -> RawRow:
    try:
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError:
            text = decode(line) if decode else line
            value = parse(_without_comma(text))
    except ValueError as error:
        return _broken(number, path, f"This line is not JSON: {error}.", line)
    except RecursionError:
        return _broken(number, path, "This line is nested too deeply to be a row.", line)
    return as_row(value, number, path.name)


def _without_comma(line: str | bytes) -> str | bytes:
    """A line without the comma that some tools write after each row."""
    bare = line.rstrip()
    comma = b"}," if isinstance(bare, bytes) else "},"
    return bare[:-1] if bare.endswith(comma) else line  # type: ignore[arg-type]


def _broken(number: int, path: Path, message: str, line: bytes = b"") -> RawRow:
    text = line[:SHOWN_RAW].decode("utf-8", "replace").rstrip("\r\n")
    return RawRow(number, {}, path.name, RowError("malformed_json", message), text)


def _skip_line(file: BinaryIO) -> None:
    while chunk := file.readline(_CHUNK):
        if chunk.endswith(b"\n"):
            return


def _cut_off(number: int, path: Path, error: Broken) -> RawRow:
    """The row after `number` good ones, where the text breaks; with no good one it is no JSON."""
    if not number:
        raise DataError(f"{path.name} cannot be read as JSON. {error}") from error
    return _broken(number + 1, path, str(error))


def _read_list(path: Path, head: bytes, note: Note) -> Iterator[RawRow]:
    """The elements of a list at the root."""
    number = 0
    with open_text(path, head, note) as file:
        window = Window(file)
        window.peek()
        try:
            for number, value in enumerate(window.elements(), 1):
                yield as_row(value, number, path.name)
        except Broken as error:
            yield _cut_off(number, path, error)
    if not number:
        raise DataError(f"{path.name} is an empty list: there are no rows in it.")


def _read_object(path: Path, head: bytes, note: Note) -> Iterator[RawRow]:
    """A root object: the list of rows in it, a table of columns, a row a key, or a single row.

    Small files are looked at whole; of a large one the first list of objects is streamed. Objects
    one after the other are rows.
    """
    with open_text(path, head, note) as file:
        text = file.read(MAX_WHOLE + 1).lstrip("\ufeff")
    if len(text) > MAX_WHOLE:
        del text
        yield from _stream_object(path, head, note)
        return
    try:
        root = json.loads(text)
    except json.JSONDecodeError as error:
        if error.msg != "Extra data":
            raise DataError(f"{path.name} cannot be read as JSON: {error}.") from error
        note(f"{path.name} holds one JSON object after the other: each is a row.")
        yield from _read_sequence(path, head, note)
        return
    except RecursionError as error:
        raise DataError(f"{path.name} cannot be read as JSON: nested too deeply.") from error
    yield from (as_row(v, n, path.name) for n, v in enumerate(rows_in(root, path.name, note), 1))


def _read_sequence(path: Path, head: bytes, note: Note) -> Iterator[RawRow]:
    with open_text(path, head, note) as file:
        window, number = Window(file), 0
        try:
            while window.peek():
                number += 1
                yield as_row(window.value(), number, path.name)
        except Broken as error:
            yield _broken(number, path, str(error))


def _stream_object(path: Path, head: bytes, note: Note) -> Iterator[RawRow]:
    with open_text(path, head, note) as file:
        window, number = Window(file), 0
        window.peek()
        try:
            for name in window.fields():
                if number and window.peek() == "[":
                    note(f"{path.name} holds more lists; only the first was read.")
                    return
                if window.peek() != "[":
                    window.value()
                    continue
                note(f'{path.name} holds its rows under "{name}".')
                for number, value in enumerate(window.elements(), 1):
                    yield as_row(value, number, path.name)
        except Broken as error:
            yield _cut_off(number, path, error)
    if not number:
        raise DataError(f"{path.name} is one large JSON object without a list of rows in it.")
