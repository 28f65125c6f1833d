"""Answers as code: what it tries against the machine ends in a sentence and a zero."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from studio.core.errors import ConfigError
from studio.rewards import WeightedReward, preview, sandbox

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="code runs on Linux alone")
TESTS = "assert add(2, 3) == 5"


@pytest.fixture(autouse=True)
def allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(sandbox.SETTING, "1")


def test_code_is_off_until_the_owner_turns_it_on(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv(sandbox.SETTING)
    with pytest.raises(ConfigError, match="STUDIO_RUN_CODE=1"):
        sandbox.run("1", "")
    monkeypatch.setenv(sandbox.SETTING, "1")
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(ConfigError, match="on Linux"):
        sandbox.run("1", "")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import math\ndef add(a, b):\n    print(1)\n    return math.floor(a + b)", ""),
        ("def add(a, b): return 1", "A test failed: assert add(2, 3) == 5"),
        ("import os\nwhile True: os.fork()", "a process: PermissionError"),
        ("import _thread\n_thread.start_new_thread(print, ())", "can't start new thread"),
        ("x = bytearray(10 * 2**30)", "more than 512 MB"),
        ("open('/etc/passwd').read()", "a file"),
        ("open('FOLDER/new', 'w')", "a file"),
        ("import os\nos.remove('FOLDER/old')", "a file"),
        ("import os, signal\nos.kill(1, signal.SIGKILL)", "PermissionError"),
        ("import socket", "It imports socket"),
        ("import os\nos._exit(0)", "before its tests were through"),
        ("raise SystemExit(0)", "ended itself"),
        ("import os\nwhile True: os.write(1, b'x' * 4096)", "wrote without end"),
        ("def add(a, b): return add(a, b)", "called itself without end"),
        ("def add(:", "SyntaxError"),
    ],
)
def test_what_code_tries(code: str, words: str, tmp_path: Path):
    (tmp_path / "old").write_text("kept")
    found = sandbox.run(code.replace("FOLDER", str(tmp_path)), TESTS)
    assert found.passed == (not words) and words in found.why
    assert [path.name for path in tmp_path.iterdir()] == ["old"]


def test_what_never_ends_is_ended():
    began = time.monotonic()
    for code in ("while True: pass", "import time\ntime.sleep(600)"):
        assert sandbox.run(code, "", seconds=1) == (False, "It ran longer than 1 second.")
    assert time.monotonic() - began < 60


def test_the_kernel_refuses_what_python_would_do():
    """The filter alone, with modules that an answer does not have."""
    script = """
import ctypes, os, socket, sys
sys.path.insert(0, sys.argv[1])
import sandbox_child
sandbox_child.refuse_calls(ctypes.CDLL(None, use_errno=True))
for attempt in (socket.socket, os.fork, os.getcwd, lambda: open(os.devnull),
                lambda: os.execv("/bin/true", ["true"]), lambda: os.kill(1, 9)):
    try:
        attempt()
    except PermissionError:
        continue
    print("not refused", attempt)
print("all refused")
"""
    folder = str(Path(sandbox.__file__).parent)
    ran = subprocess.run([sys.executable, "-c", script, folder], capture_output=True, text=True)
    assert ran.stdout == "all refused\n", ran


def test_a_reward_runs_the_code_of_an_answer():
    row = {
        "prompt": [{"role": "user", "content": "Add."}],
        "tests": [TESTS, "assert add(0, 0) == 0"],
    }
    good = "Here:\n```python\ndef add(a, b):\n    return a + b\n```\nDone."
    first, second = preview(WeightedReward(["code:tests"]), [row], [good, "I cannot."])
    assert (first["reward"], second["reward"]) == (1.0, 0.0)
    assert "notes" not in first and "SyntaxError" in second["notes"]["code"]
