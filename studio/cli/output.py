"""What all commands share: one result on stdout; progress, notes and errors on stderr."""

from __future__ import annotations

import contextlib
import io
import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any, Self, TextIO

import typer

from studio.core.errors import ConfigError

if TYPE_CHECKING:
    from studio.engine.studio import Studio

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document, for machines.")]
Report = Callable[[int, int | None, str], None]
_WIDTH = 100  # characters of a value that a person is shown


def example(*commands: str) -> str:
    """The last lines of a command's help."""
    lines = "\n".join(f"  python -m studio {command}" for command in commands)
    return f"\b\nExample{'s' if len(commands) > 1 else ''}:\n{lines}"


def say_error(sentence: str) -> None:
    """One line on stderr, however the sentence was broken."""
    typer.echo(f"error: {' '.join(sentence.split())}", err=True)


@dataclass
class Host:
    """Something else than a shell that runs a command: its engine, and what came of it."""

    studio: Studio
    value: Any = None


HOST: ContextVar[Host | None] = ContextVar("host", default=None)
"""Set while a command is run by something else than a shell (`studio.cli.commands`)."""


class _Nowhere(io.TextIOBase):
    """Takes what libraries print and drops it."""

    def write(self, text: str) -> int:
        return len(text)


class Terminal:
    """One command's way out. While it is open, whatever libraries print is dropped, or goes to
    stderr under `--verbose`: stdout is for the result alone.

    with Terminal(as_json) as out:
        out.result({"rows": 3}, "3 rows")
    """

    verbose = False  # set once, from the command line

    def __init__(self, as_json: bool = False):
        self.as_json = as_json
        self.host = HOST.get()
        self._stdout: TextIO = sys.stdout
        self._studio: Studio | None = None

    def __enter__(self) -> Self:
        if self.host is not None:
            return self
        self._stdout = sys.stdout
        sys.stdout = sys.stderr if Terminal.verbose else _Nowhere()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.host is not None:
            return
        try:
            if self._studio is not None:
                self._studio.close()
        finally:
            sys.stdout = self._stdout

    @property
    def studio(self) -> Studio:
        """The engine on `STUDIO_HOME`, made when first asked for and closed with the command."""
        if self.host is not None:
            return self.host.studio
        if self._studio is None:
            from studio.engine.studio import Studio

            self._studio = Studio()
        return self._studio

    def result(self, value: Any, text: str) -> None:
        """The command's result: `value` as JSON for a machine, `text` for a person."""
        if self.host is not None:
            self.host.value = json.loads(json.dumps(_plain(value), default=str))
            return
        if self.as_json:
            text = json.dumps(_plain(value), indent=2, ensure_ascii=False, default=str)
        self._stdout.write(text.rstrip("\n") + "\n")
        self._stdout.flush()

    def note(self, text: str) -> None:
        """A line for a person, beside the result."""
        if not self.as_json:
            typer.echo(text, err=True)

    @contextlib.contextmanager
    def progress(self, what: str) -> Iterator[Report]:
        """A bar on stderr, where that is a terminal; yields `report(done, total, what)`."""
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[count]}"),
            TimeRemainingColumn(compact=True),
            console=Console(stderr=True),
            disable=self.host is not None or not sys.stderr.isatty(),
            transient=True,
        )
        with bar:
            task = bar.add_task(what, total=None, count="")

            def report(done: int, total: int | None, text: str = "") -> None:
                count = f"{done:,}/{total:,}" if total else f"{done:,}"
                bar.update(task, completed=done, total=total, count=count, description=text or what)

            yield report


def _plain(value: Any) -> Any:
    """JSON has no NaN and no infinity; null stands for both."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


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


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else str(value)


def one_line(text: str) -> str:
    """A value as a person is shown it, on one line and not too long; --json has all of it."""
    text = " ".join(text.split())
    return text if len(text) <= _WIDTH else text[: _WIDTH - 1] + "…"


def parse_pairs(pairs: Sequence[str], option: str) -> dict[str, str]:
    """`key=value` arguments as a mapping; a `ConfigError` names the one without `=`."""
    found = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not (equals and key.strip()):
            raise ConfigError(f"{option} takes key=value, not {pair!r}.")
        found[key.strip()] = value
    return found
