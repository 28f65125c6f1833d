"""Programs of the studio's own in a process that is ended where it takes too long.

What comes from elsewhere and may never end (an answer's code, mathematics, a model's chat template,
a tokenizer's pattern) holds the interpreter's lock or a thread that nothing stops; a process can be
ended. The program sets its own limits of memory and processor time (`resource.setrlimit`).
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Any, NamedTuple

NEEDED = ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "VIRTUAL_ENV", "LANG", "SYSTEMROOT")
"""What of the environment a process gets that imports libraries: no tokens, no keys."""
MOST_SAID = 1 << 16


class Ended(NamedTuple):
    """What a process wrote, its exit status, and whether it was ended by the clock."""

    said: bytes
    status: int
    late: bool

    @property
    def too_much(self) -> bool:
        """Whether it wrote without end."""
        return len(self.said) >= MOST_SAID

    @property
    def too_long(self) -> bool:
        """Whether its time was up, by the clock or by the processor's."""
        return self.late or self.status in (-signal.SIGXCPU, -signal.SIGKILL)


def start(program: Path, bare: bool = False) -> subprocess.Popen[bytes]:
    """A process of a program, in its own session, with pipes in and out.

    Args:
        bare: without installed packages and without any environment.
    """
    given = {name: os.environ[name] for name in NEEDED if name in os.environ}
    return subprocess.Popen(
        [sys.executable, *(("-I", "-S") if bare else ("-P",)), str(program)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={} if bare else given,
        cwd="/" if bare else None,
        start_new_session=True,
    )


def run(program: Path, given: Any, seconds: float, bare: bool = False) -> Ended:
    """Give a program JSON, and take what it writes within some seconds; it never outlives this."""
    child = start(program, bare)
    late = threading.Event()
    timer = threading.Timer(seconds, lambda: (late.set(), child.kill()))
    timer.start()
    try:
        said = _said(child, json.dumps(given).encode())
    finally:
        child.kill()
        status = child.wait()
        timer.cancel()
        close(child)
    return Ended(said, status, late.is_set())


def close(child: subprocess.Popen[bytes]) -> None:
    """Close the pipes of a process that has ended."""
    pipes: tuple[IO[bytes] | None, ...] = (child.stdin, child.stdout)
    for pipe in pipes:
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):  # a line that nobody read
                pipe.close()


def _said(child: subprocess.Popen[bytes], given: bytes) -> bytes:
    """What the process writes, until it ends or says too much."""
    assert child.stdin is not None and child.stdout is not None
    try:
        child.stdin.write(given)
        child.stdin.close()
    except BrokenPipeError:
        pass  # it ended already; how is in its exit status
    said = child.stdout.read(MOST_SAID)
    if len(said) < MOST_SAID:
        child.wait()
    return said
