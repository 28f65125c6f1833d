"""Commands run in this process, seen as a shell sees them."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from studio.cli import main


@dataclass(frozen=True)
class Output:
    """What a command printed on its two streams, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)

    def refused(self, code: int) -> str:
        """The one sentence of an error; nothing but it may have been printed."""
        assert self.code == code, self.err
        assert self.out == ""
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("error: ")
        assert lines[0].endswith((".", "?"))
        assert "Traceback" not in self.err
        return lines[0]


@pytest.fixture
def shell(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Output]:
    """`shell("runs", "list")` runs one command on an empty workspace."""
    # The command line sets these for its own process; here they must not outlive the test.
    monkeypatch.setattr("studio.cli._QUIET", {})

    def run(*arguments: object) -> Output:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        logging.disable(logging.NOTSET)
        captured = capsys.readouterr()
        return Output(code, captured.out, captured.err)

    return run
