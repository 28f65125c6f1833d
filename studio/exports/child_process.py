"""A module of this package in a process of its own: what it does with llama.cpp may crash."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence

from studio.core.errors import ModelError
from studio.core.workspace import ROOT

_WITHIN = 1800  # seconds without an end
_LOOK = 0.5  # seconds between two questions whether it is still wanted


def run(module: str, given: Sequence[str], on_wait: Callable[[], None]) -> None:
    """Run `python -m module` with arguments; `ModelError` holds what it said last.

    `on_wait` is called twice a second and may raise to stop it.
    """
    finish([sys.executable, "-m", module, *given], on_wait)


def finish(
    command: Sequence[str],
    on_wait: Callable[[], None],
    environment: Mapping[str, str] | None = None,
) -> None:
    """Run a command to its end, as `run` does; `environment` is added to this process's own."""
    child = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(environment or {})},
    )
    try:
        said = _until_ended(child, on_wait)
    except BaseException:
        child.kill()
        child.communicate()
        raise
    if child.returncode:
        last = (said.strip().splitlines() or ["it printed nothing"])[-1][:300]
        crashed = f"it crashed (signal {-child.returncode})"
        raise ModelError(crashed if child.returncode < 0 else last)


def _until_ended(child: subprocess.Popen[str], on_wait: Callable[[], None]) -> str:
    """What it wrote to its standard error."""
    end = time.monotonic() + _WITHIN
    while True:
        try:
            return child.communicate(timeout=_LOOK)[1]
        except subprocess.TimeoutExpired:
            on_wait()
        if time.monotonic() > end:
            raise ModelError(f"it did not end within {_WITHIN // 60} minutes")
