"""A streaming JSON reader: one value at a time from a moving window over the file."""
# Why not ijson 3.6.0 (yajl2_c): its `items` is faster, 0.33 s of processor time beside 0.47 s for
# 100,000 chats (138 MB), but its memory grows with the square of the nesting: 0.97 GB for 20,000
# opening brackets. Building rows from `basic_parse`, which does not grow so, takes 1.3 s. Neither
# bounds a record: a string of 1 GB had not ended after 9 minutes, where this stops at 64 MB, after
# 0.4 s. "\ud800" silently becomes "?", and NaN or, with `use_float`, an integer above 64 bits
# ends the file.

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

MAX_RECORD = 64 << 20
"""Maximum bytes of one record; anything longer is a broken file, not a row."""
_CHUNK = 1 << 20
_SPACE = " \t\r\n"


class Broken(Exception):
    """The JSON cannot be read past this point; the message quotes the text there."""


class Window:
    """A text file read chunk by chunk; `peek` and `value` move along it."""

    def __init__(self, file: io.TextIOBase):
        self._file = file
        self._text = file.read(_CHUNK).lstrip("\ufeff")
        self._at = 0
        self._decoder = json.JSONDecoder()

    def peek(self) -> str:
        """The next non-space character; empty at the end of the file."""
        while True:
            text, at = self._text, self._at
            while at < len(text) and text[at] in _SPACE:
                at += 1
            self._at = at
            if at < len(text):
                return text[at]
            self._text, self._at = self._file.read(_CHUNK), 0
            if not self._text:
                return ""

    def step(self) -> None:
        """Move past the character that `peek` returned."""
        self._at += 1

    def value(self) -> Any:
        """Decode the JSON value that starts here; raises `Broken` if there is none."""
        self.peek()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
            except (ValueError, RecursionError) as error:
                more = self._more() if self._may_go_on(error) else ""
                if more == "" or len(self._text) > MAX_RECORD:
                    raise Broken(self._where(error)) from None
                continue
            # A number at the end of the window may have more digits behind it.
            if end < len(self._text) or self._text[end - 1] in '}]"' or not self._more():
                self._at = end
                return value

    def _more(self) -> str:
        # Doubling the amount read keeps a long record linear in time.
        more = self._file.read(max(_CHUNK, len(self._text) - self._at))
        if more:
            self._text, self._at = self._text[self._at :] + more, 0
        return more

    def _may_go_on(self, error: Exception) -> bool:
        """Whether the value may only look broken because the window ends inside it."""
        if not isinstance(error, json.JSONDecodeError):
            return not isinstance(error, RecursionError)
        return error.msg.startswith("Unterminated string") or error.pos >= len(self._text) - 16

    def _where(self, error: Exception) -> str:
        if len(self._text) - self._at > MAX_RECORD:
            return "This record is longer than 64 MB; nothing after it could be read."
        rest = self._text[self._at : self._at + 40].strip()
        if not rest:
            return "The list breaks off without its closing ]: the file is cut short."
        if isinstance(error, RecursionError):
            reason = "nested too deeply"
        else:
            reason = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
        return f'The JSON breaks off near "{rest}" ({reason}); nothing after it could be read.'

    def elements(self) -> Iterator[object]:
        """Yield the values of the list that starts here."""
        self.step()
        while (character := self.peek()) != "]":
            if character == ",":
                self.step()
                continue
            yield self.value()
        self.step()

    def fields(self) -> Iterator[str]:
        """Yield the keys of the object that starts here; read each value before the next key."""
        self.step()
        while (character := self.peek()) != "}":
            if character == ",":
                self.step()
                continue
            name = self.value()
            if not isinstance(name, str) or self.peek() != ":":
                raise Broken(f"A field's name is missing near {str(name)[:40]!r}.")
            self.step()
            yield name
        self.step()
