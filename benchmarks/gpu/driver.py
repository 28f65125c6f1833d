"""Whether training holds on this machine's card: one JSON line a check, with what is expected.

    python -m benchmarks.gpu [--out gpu.jsonl] [--small] [--only CHECK ...]

At most nine minutes on one card and no network: the built-in model, and random weights of real
shapes. Each check has a time limit of its own. One that exceeds it is ended, said to be cut, and
the next begins in a fresh process; so it does after one that takes its process with it. Lines are
written as they come, so what was found is kept if the script is ended. `--small` runs the same
checks on a CPU, with small models. `--write-curve` keeps this machine's losses (a CPU's) for other
machines to meet.

`holds` is null where a figure is only measured. The exit code is 1 where a check does not hold.
"""

from __future__ import annotations

import argparse
import json
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

LIMITS = {
    "versions": 60,
    "nf4_product": 30,
    "fused_head": 40,
    "curve": 90,
    "methods": 120,
    "float16": 60,
    "moved_weights": 60,
    "out_of_memory": 90,
    "compare": 90,
    "static_cache": 90,
    "memory": 150,
    "speed": 120,
    "compare_in_a_run": 60,
    "export": 60,
}
"""Checks in their order, with time limits in seconds; a process's first loads libraries as well."""
_ALL = 540
_CHILD = (sys.executable, "-m", "benchmarks.gpu.checks")
_SMALL = 3  # a CPU takes longer for the same


def lines(
    checks: Sequence[str], small: bool, seconds: float, extra: Sequence[str] = ()
) -> Iterator[dict[str, Any]]:
    """A result for every check, in order; `seconds` is for all of them together."""
    end = time.monotonic() + seconds
    left = list(checks)
    with tempfile.TemporaryDirectory(prefix="studio-gpu-") as home:
        while left:
            for found in _from_child(tuple(left), small, end, Path(home), extra):
                left.remove(found["check"])
                yield found
            if time.monotonic() >= end:
                for name in left:
                    yield _without(name, f"not begun: {seconds:g} s for all checks had passed")
                return


def _from_child(
    checks: Sequence[str], small: bool, end: float, home: Path, extra: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Results of a process that goes through `checks`, until it is through, cut or gone."""
    command = [*_CHILD, *checks, "--home", str(home), *(["--small"] if small else []), *extra]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    said: queue.Queue[str | None] = queue.Queue()
    threading.Thread(target=_read, args=(child.stdout, said), daemon=True).start()
    try:
        for number, name in enumerate(checks):
            limit = LIMITS[name] * (_SMALL if small else 1) + (LIMITS["versions"] * (number == 0))
            until = min(time.monotonic() + limit, end)
            try:
                line = said.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                yield _without(name, f"cut after {limit:g} s, or at the end of the time for all")
                return
            if line is None:
                yield _without(name, f"its process ended with code {child.wait()}")
                return
            yield json.loads(line)
    finally:
        child.kill()
        child.wait()


def _read(stream: IO[str], said: queue.Queue[str | None]) -> None:
    for line in stream:
        said.put(line)
    said.put(None)


def _without(name: str, why: str) -> dict[str, Any]:
    return {"check": name, "holds": False, "error": why}


def main() -> int:
    """Print a line a check; the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--small", action="store_true", help="small models, for a CPU")
    parser.add_argument("--only", nargs="+", choices=LIMITS, default=list(LIMITS))
    parser.add_argument("--out", type=Path, help="a file that gets the lines as well")
    parser.add_argument("--write-curve", action="store_true", help="keep the losses of `curve`")
    asked = parser.parse_args()
    if asked.out:
        asked.out.write_text("", encoding="utf-8")
    extra = ["--write-curve"] if asked.write_curve else []
    seconds = _ALL * (_SMALL if asked.small else 1)
    holds = True
    for found in lines(asked.only, asked.small, seconds, extra):
        line = json.dumps(found)
        print(line, flush=True)
        if asked.out:
            with asked.out.open("a", encoding="utf-8") as file:
                file.write(f"{line}\n")
        holds = holds and found["holds"] is not False
    return 0 if holds else 1
