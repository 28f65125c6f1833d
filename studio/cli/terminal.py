"""What a command prints: one result on stdout; progress, notes and errors on stderr."""

from __future__ import annotations

import contextlib
import io
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TextIO

import typer

from studio.core.formatting import percent_text

if TYPE_CHECKING:
    from studio.commands.base import OnProgress
    from studio.engine.studio import Studio

_WIDTH = 100  # characters of a value that a person is shown
# What a terminal would act on instead of printing it: controls, bidirectional overrides, and lone
# surrogates, which cannot be encoded.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """The text with control characters as `\\uXXXX`; a name or row cannot steer the terminal."""
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def print_error(sentence: str) -> None:
    """One line on stderr, however the sentence was broken."""
    typer.echo(f"error: {printable(' '.join(sentence.split()))}", err=True)


class _Nowhere(io.TextIOBase):
    """Drops what libraries print."""

    def write(self, text: str) -> int:
        return len(text)


class Terminal:
    """One command's output. While it is open, what libraries print is dropped, or goes to stderr
    under `--verbose`: stdout is for the result alone.

    with Terminal(as_json) as out:
        out.result({"rows": 3}, "3 rows")
    """

    verbose = False  # set once, from the command line

    def __init__(self, as_json: bool = False):
        self.as_json = as_json
        self._stdout: TextIO = sys.stdout
        self._studio: Studio | None = None

    def __enter__(self) -> Self:
        self._stdout = sys.stdout
        sys.stdout = sys.stderr if Terminal.verbose else _Nowhere()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if self._studio is not None:
                self._studio.close()
        finally:
            sys.stdout = self._stdout

    def studio(self) -> Studio:
        """The engine on `STUDIO_HOME`, made when first asked for and closed with the command."""
        if self._studio is None:
            from studio.engine.studio import Studio

            self._studio = Studio()
        return self._studio

    def result(self, value: Any, render: Callable[[Any], str]) -> None:
        """Print the command's result: `value` as JSON, or what `render` makes of it."""
        as_json = self.as_json
        text = json.dumps(value, indent=2, ensure_ascii=False) if as_json else render(value)
        # Printable escapes are JSON's own, so a program reads what was there.
        self._stdout.write(printable(text.rstrip("\n")) + "\n")
        self._stdout.flush()

    def note(self, text: str) -> None:
        """A line for a person, beside the result."""
        if not self.as_json:
            typer.echo(printable(text), err=True)

    @contextlib.contextmanager
    def progress(self, what: str) -> Iterator[OnProgress]:
        """A bar on stderr, where that is a terminal; yields `report(done, total, what)`."""
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[count]}"),
            TimeRemainingColumn(compact=True),
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
            transient=True,
        )
        with bar:
            task = bar.add_task(printable(what), total=None, count="")

            def report(done: int, total: int | None, text: str = "") -> None:
                count = f"{done:,}/{total:,}" if total else f"{done:,}"
                text = printable(text or what)
                bar.update(task, completed=done, total=total, count=count, description=text)

            yield report


# ---- values for a person -------------------------------------------------------------------------


def table(rows: Sequence[Sequence[object]], header: Sequence[str]) -> str:
    """Columns of text under a header, two spaces apart; numbers to the right."""
    cells = [[str(name) for name in header], *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    right = [
        bool(rows) and all(isinstance(row[column], int | float | None) for row in rows)
        for column in range(len(header))
    ]
    lines = []
    for row in cells:
        parts = [
            text.rjust(width) if align else text.ljust(width)
            for text, width, align in zip(row, widths, right, strict=True)
        ]
        lines.append("  ".join(parts).rstrip())
    return "\n".join(lines)


def columns(*names: str, empty: str = "") -> Callable[[Sequence[Mapping[str, Any]]], str]:
    """A renderer of a list of objects: a table with these of their values, or the `empty` text."""

    def render(found: Sequence[Mapping[str, Any]]) -> str:
        if not found and empty:
            return empty
        return table([[each[name] for name in names] for each in found], names)

    return render


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else printable(str(value)).replace("\n", "\\n")


def one_line(text: str) -> str:
    """A value on one line and not too long; `--json` has all of it."""
    text = " ".join(text.split())
    return text if len(text) <= _WIDTH else text[: _WIDTH - 1] + "…"


def percent(share: float | None) -> str:
    """`68 %`, or a dash where there is no share."""
    return "-" if share is None else percent_text(share)


def counted(reasons: Mapping[str, int], what: str) -> str:
    """`, 3 set aside: duplicate` for each reason; nothing without any."""
    return "".join(f", {count:,} {what}: {reason}" for reason, count in reasons.items())
