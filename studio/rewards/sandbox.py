"""Code of an answer, run against tests in a process that can do nothing but compute.

    found = run("def add(a, b):\\n    return a + b", "assert add(2, 3) == 5")
    found.passed, found.why        # True, ""

The process (`sandbox_child`) has no network, no files and no other processes: a filter of system
calls in the kernel (seccomp) leaves it what computing needs, and limits of memory and time end it.
Where it is allowed to, it also takes a network of its own and another user. Linux alone has all of
this, so elsewhere code is not run at all. And it is run only where the owner of the studio said so
with `STUDIO_RUN_CODE=1`.

Whoever writes an answer in order to deceive its tests can: they share one interpreter.
"""

from __future__ import annotations

import os
import platform
import re
import secrets
import signal
import sys
from pathlib import Path
from typing import NamedTuple

from studio.core import children
from studio.core.errors import ConfigError
from studio.core.formatting import plural
from studio.core.json_values import as_object, loads

SETTING = "STUDIO_RUN_CODE"
MEMORY, SECONDS = 512 << 20, 5
_MACHINES = ("x86_64", "aarch64")
_BLOCK = re.compile(r"```(?:python|py)?[ \t]*\n(.*?)(?:```|\Z)", re.DOTALL | re.IGNORECASE)


class Ran(NamedTuple):
    """Whether the tests passed, and a sentence where they did not."""

    passed: bool
    why: str = ""


def allowed() -> bool:
    """Whether the owner turned code on."""
    return os.environ.get(SETTING, "").lower() in ("1", "true", "yes")


def check() -> None:
    """`ConfigError` where code is not run here, with the reason."""
    if sys.platform != "linux" or platform.machine() not in _MACHINES:
        raise ConfigError(
            "The reward code runs answers on Linux (x86_64 or aarch64) alone, whose kernel can cut "
            "them off from files and the network. Train there, or choose another reward."
        )
    if not allowed():
        raise ConfigError(
            f"The reward code runs what a model writes, which is off; start the studio with "
            f"{SETTING}=1 to allow it."
        )


def code_of(answer: str) -> str:
    """The code in an answer: its fenced blocks, one after the other, or all of it."""
    return "\n".join(_BLOCK.findall(answer)) or answer


def run(code: str, tests: str, memory: int = MEMORY, seconds: int = SECONDS) -> Ran:
    """Run code and then its tests; never raises for what they do.

    Args:
        memory: in bytes.
        seconds: of processor time; twice that by the clock.
    """
    check()
    token = secrets.token_hex(16)
    given = {"code": code, "tests": tests, "token": token, "memory": memory, "seconds": seconds}
    program = Path(__file__).with_name("sandbox_child.py")
    return _read(children.run(program, given, 2.0 * seconds, bare=True), token, seconds)


def _read(ended: children.Ended, token: str, seconds: int) -> Ran:
    found = as_object(loads(ended.said.decode(errors="replace"))) or {}
    if found.get("token") == token:
        return Ran(bool(found.get("passed")), str(found.get("why") or ""))
    if ended.too_much:
        return Ran(False, "It wrote without end.")
    if ended.too_long:
        return Ran(False, f"It ran longer than {plural(seconds, 'second')}.")
    if ended.status < 0:
        return Ran(False, f"It crashed with {signal.Signals(-ended.status).name}.")
    return Ran(False, "It ended before its tests were through.")
