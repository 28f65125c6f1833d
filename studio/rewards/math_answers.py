"""Whether an answer is mathematically the reference, by Hugging Face's math_verify.

`1/2`, `0.5` and `\\boxed{\\frac{1}{2}}` are equal. math_verify reads an answer with SymPy, which an
answer can keep busy for hours (`9**9**9`), so the comparing is done by a process of its own that is
ended where it takes too long; such an answer is not right.
"""

from __future__ import annotations

import atexit
import json
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

from studio.core import children

_SECONDS = 15.0  # math_verify gives up by itself after 5 for each of its steps
_FIRST = 60.0  # the first answer waits for SymPy to be imported


class _Checker:
    """The process, started when first needed and again after it was ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None

    def compare(self, answer: str, references: Sequence[str]) -> str:
        """`1`, `0`, or `-` where no reference is mathematics. One comparison at a time; what ends
        the process twice is not right."""
        line = json.dumps({"answer": answer, "references": list(references)})
        with self._lock:
            said, late = self._ask(line)
            if not said and not late:
                said, _ = self._ask(line)
            return said or "0"

    def _ask(self, line: str) -> tuple[str, bool]:
        """(the process's word, empty where it ended; whether it was ended for taking too long)."""
        fresh = self._child is None
        child = self._child or self._start()
        late = threading.Event()
        timer = threading.Timer(_FIRST if fresh else _SECONDS, lambda: (late.set(), child.kill()))
        timer.start()
        try:
            assert child.stdin is not None and child.stdout is not None
            child.stdin.write(f"{line}\n".encode())
            child.stdin.flush()
            said = child.stdout.readline().decode().strip()
        except BrokenPipeError:
            said = ""
        finally:
            timer.cancel()
        if said not in ("0", "1", "-"):
            self.close()
            return "", late.is_set()
        return said, False

    def _start(self) -> subprocess.Popen[bytes]:
        self._child = children.start(Path(__file__).with_name("math_child.py"))
        return self._child

    def close(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        child.wait()
        children.close(child)


_checker = _Checker()
atexit.register(_checker.close)


def math_match(answer: str, references: Sequence[str]) -> float:
    """1 where the answer equals a reference as mathematics; GSM8K's `####` is read."""
    return float(compared(answer, references) == "1")


def compared(answer: str, references: Sequence[str]) -> str:
    """`1` where `math_match` is, `0` where the answer is wrong, `-` where no reference holds
    mathematics, so that no answer can be right."""
    return _checker.compare(answer, references)
