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

from studio.data.encodings import (
    Note,
    decode_head,
    line_decoder,
    open_bytes,
    open_text,
    text_encoding,
)
from studio.data.types import RawRow, RowError
from studio.errors import DataError

MAX_RECORD = 64 << 20
"""Bytes one record may have; a longer one is a mistake in the file, not a row."""
MAX_OBJECT = 512 << 20
"""Bytes a file whose root is an object may have, since it is read whole."""
_CHUNK = 1 << 20
_SPACE = " \t\r\n"


def read_json(path: Path, kind: str, head: bytes, note: Note) -> Iterator[RawRow]:
    """Rows of a .json or .jsonl file; which of the two it really is, the content decides."""
    really = _really(kind, head)
    if really == "jsonl":
        if kind == "json":
            note(f"{path.name} holds one JSON value a line: read as JSON Lines.")
        yield from _read_lines(path, head, note)
        return
    if kind == "jsonl":
        note(f"{path.name} is one JSON document, not JSON Lines: read as such.")
    text = decode_head(head).lstrip("\ufeff" + _SPACE)
    if text.startswith("["):
        yield from _read_list(path, head, note)
    elif text.startswith("{"):
        yield from _read_object(path, head, note)
    else:
        raise DataError(
            f'{path.name} is not JSON: it starts with "{text[:24].strip()}". '
            "A JSON file starts with [ or {."
        )


def parse(text: str | bytes) -> Any:
    """One JSON value; orjson first (fast, strict), the standard library for NaN and odd escapes."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text)


def as_row(value: Any, number: int, file: str) -> RawRow:
    """A JSON value as a row: objects as they are, lists as a conversation, strings as text."""
    if isinstance(value, dict):
        return RawRow(number, value, file)
    if isinstance(value, list):
        return RawRow(number, {"messages": value}, file)
    if isinstance(value, str):
        return RawRow(number, {"text": value}, file)
    shown = json.dumps(value)[:40]
    return RawRow(
        number,
        {},
        file,
        RowError("not_a_row", f"The record is {shown}, not an object with fields."),
    )


def _really(kind: str, head: bytes) -> str:
    lines = [line for line in decode_head(head).lstrip("\ufeff").split("\n") if line.strip()]
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
    return "jsonl" if _is_conversation(first) else "json"


def _is_conversation(value: list[Any]) -> bool:
    return bool(value) and all(
        isinstance(turn, dict) and ("role" in turn or "from" in turn) for turn in value
    )


def _try(line: str) -> Any:
    try:
        value = parse(line)
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
    decode = line_decoder("utf-8", note, path.name)
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
            value = parse(decode(line) if decode else line)
    except ValueError as error:
        return _broken(number, path, f"This line is not JSON: {error}.")
    except RecursionError:
        return _broken(number, path, "This line is nested too deeply to be a row.")
    return as_row(value, number, path.name)


def _broken(number: int, path: Path, message: str) -> RawRow:
    return RawRow(number, {}, path.name, RowError("malformed_json", message))


def _skip_line(file: BinaryIO) -> None:
    while chunk := file.readline(_CHUNK):
        if chunk.endswith(b"\n"):
            return


def _read_list(path: Path, head: bytes, note: Note) -> Iterator[RawRow]:
    """The elements of a list at the root, decoded one by one from a moving window."""
    number = 0
    for value in _elements(path, head, note):
        number += 1
        if isinstance(value, RowError):
            if number == 1:
                raise DataError(f"{path.name} cannot be read as JSON. {value.message}")
            yield RawRow(number, {}, path.name, value)
            return
        yield as_row(value, number, path.name)
    if not number:
        raise DataError(f"{path.name} is an empty list: there are no rows in it.")


def _elements(path: Path, head: bytes, note: Note) -> Iterator[Any]:
    """Values of the root list; a `RowError` as the last one where the list breaks off."""
    decoder = json.JSONDecoder()
    with open_text(path, head, note) as file:
        window, at = file.read(_CHUNK).lstrip("\ufeff" + _SPACE), 1
        while True:
            at = _skip(window, at, _SPACE + ",")
            if window[at : at + 1] == "]":
                return
            try:
                value, end = decoder.raw_decode(window, at)
                whole = end < len(window) or window[end - 1] in '}]"'
                error: Exception = ValueError("the value may go on")
            except (ValueError, RecursionError) as caught:
                value, end, whole, error = None, at, False, caught
            if whole:
                yield value
                at = end
                continue
            # doubling what is read keeps a long record linear in time
            more = file.read(max(_CHUNK, len(window) - at)) if _may_go_on(error, window) else ""
            if not more or len(window) - at > MAX_RECORD:
                yield RowError("malformed_json", _where(window, at, error))
                return
            window, at = window[at:] + more, 0


def _may_go_on(error: Exception, window: str) -> bool:
    """Whether the value only looks broken because the window ends inside it."""
    if not isinstance(error, json.JSONDecodeError):
        return not isinstance(error, RecursionError)
    return error.msg.startswith("Unterminated string") or error.pos >= len(window) - 16


def _where(window: str, at: int, error: Exception) -> str:
    if len(window) - at > MAX_RECORD:
        return "This record is longer than 64 MB; nothing after it could be read."
    rest = window[at : at + 40].strip()
    if not rest:
        return "The list breaks off without its closing ]: the file is cut short."
    reason = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
    return f'The JSON breaks off near "{rest}" ({reason}); nothing after it could be read.'


def _skip(window: str, at: int, characters: str) -> int:
    while at < len(window) and window[at] in characters:
        at += 1
    return at


def _read_object(path: Path, head: bytes, note: Note) -> Iterator[RawRow]:
    """A root object: the one list of rows in it, a table of columns, or a single row."""
    with open_text(path, head, note) as file:
        text = file.read(MAX_OBJECT + 1)
    if len(text) > MAX_OBJECT:
        raise DataError(
            f"{path.name} is one JSON object of more than 512 MB. Save it as JSON Lines."
        )
    try:
        root = json.loads(text.lstrip("\ufeff"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path.name} cannot be read as JSON: {error}.") from error
    if not isinstance(root, dict):
        raise DataError(f"{path.name} is not a JSON list or object of rows.")
    yield from (as_row(v, n, path.name) for n, v in enumerate(_rows_in(root, path, note), 1))


def _rows_in(root: dict[str, Any], path: Path, note: Note) -> list[Any]:
    lists = {
        key: value
        for key, value in root.items()
        if isinstance(value, list) and value and all(isinstance(item, dict) for item in value)
    }
    if len(lists) == 1 and not _is_conversation(next(iter(lists.values()))):
        key, rows = next(iter(lists.items()))
        note(f'{path.name} holds its rows under "{key}".')
        return rows
    columns = [value for value in root.values() if isinstance(value, list)]
    if len(columns) == len(root) > 1 and len({len(value) for value in columns}) == 1 and not lists:
        note(f"{path.name} holds a list per column.")
        names = list(root)
        return [dict(zip(names, cells, strict=True)) for cells in zip(*columns, strict=True)]
    if len(lists) > 1 and not any(_is_conversation(value) for value in lists.values()):
        names = ", ".join(f'"{key}"' for key in lists)
        raise DataError(
            f"{path.name} holds several lists ({names}). Save the one you mean as its own file."
        )
    return [root]
