"""`python` for tests without its seconds of imports: children forked from a process that has them.

`PreloadedPython` starts one process that imports torch, transformers, PEFT, TRL and the rest, and
writes a `python` to put first on a PATH. That one has `python -m studio ...` and `python script.py`
run in a fork of the process, with the caller's folder, environment, input and output, and ends
with the fork's exit status. All other calls, and those whose environment holds a setting that
libraries read as they are imported, go to the real interpreter. Not for machines with a GPU: CUDA
does not work in a fork of a process that asked for it.
"""

from __future__ import annotations

import array
import gc
import importlib
import json
import os
import runpy
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

LIBRARIES = (
    "torch",
    "transformers.trainer",
    "datasets",
    "peft",
    "trl.trainer.sft_trainer",
    "trl.trainer.dpo_trainer",
    "trl.trainer.grpo_trainer",
    "trl.trainer.reward_trainer",
    "bitsandbytes",
    "gradio",
    "plotly.graph_objects",
)
# Settings with these beginnings are read once, by the import of a library or by Python itself.
READ_AT_IMPORT = (
    *("ACCELERATE_", "BNB_", "GRADIO_", "HF_", "LANG", "LC_", "MKL_", "NO_COLOR"),
    *("OMP_", "PYTHONIO", "PYTHONUN", "TOKENIZERS_", "TORCH", "TRANSFORMERS_", "TRL_"),
)
# Runs with -S -E: a few milliseconds of an interpreter without site-packages.
CLIENT = """#!{python} -SE
import array, json, os, socket, struct, sys
arguments, known = sys.argv[1:], json.loads({known!r})
here = {{name: text for name, text in os.environ.items() if name.startswith(tuple({prefixes!r}))}}
ours = arguments[:2] == ["-m", "studio"] or arguments[:1] and arguments[0].endswith(".py")
if not ours or here != known:
    os.execv({python!r}, [{python!r}, *arguments])
line = socket.socket(socket.AF_UNIX)
line.connect({address!r})
call = json.dumps([os.getcwd(), dict(os.environ), arguments]).encode()
line.sendmsg(
    [struct.pack("!I", len(call))],
    [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))],
)
line.sendall(call)
status = line.recv(1)
os._exit(status[0] if status else 1)
"""


def read_at_import(environment: dict[str, str]) -> dict[str, str]:
    """The settings of an environment that a library may have read already."""
    return {name: text for name, text in environment.items() if name.startswith(READ_AT_IMPORT)}


class PreloadedPython:
    """The process with the libraries, and the folder with its `python`."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="python-"))
        address = str(self.folder / "line")
        client = CLIENT.format(
            python=sys.executable,
            address=address,
            known=json.dumps(read_at_import(dict(os.environ))),
            prefixes=READ_AT_IMPORT,
        )
        self.executable = self.folder / "python"
        self.executable.write_text(client)
        self.executable.chmod(0o755)
        self.process = subprocess.Popen(
            [sys.executable, __file__, address], stdout=subprocess.PIPE, start_new_session=True
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"listening\n"

    def close(self) -> None:
        """End the process; what it has forked ends with its callers."""
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def main(address: str) -> None:
    """Import the libraries, then fork a child for each call until killed."""
    for name in LIBRARIES:
        importlib.import_module(name)
    gc.freeze()  # what was imported stays shared with the children
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen()
    os.write(1, b"listening\n")
    while True:
        line, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            _supervise(line)
            return
        line.close()
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass


def _supervise(line: socket.socket) -> None:
    """Fork the call itself; tell its exit status, and end it where the caller is gone."""
    size, ancillary, _, _ = line.recvmsg(4, socket.CMSG_SPACE(3 * 4))
    files = array.array("i")
    files.frombytes(ancillary[0][2])
    (length,) = struct.unpack("!I", size)
    call = b""
    while len(call) < length:
        call += line.recv(length - len(call))
    child = os.fork()
    if child == 0:
        line.close()
        _run(files, *json.loads(call))
        return
    for number in files:
        os.close(number)
    ended = os.pidfd_open(child)
    readable, _, _ = select.select([line, ended], [], [])
    if ended not in readable:  # the caller was killed
        os.killpg(child, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with suppress(OSError):
        line.send(bytes([status if status >= 0 else 128 - status]))
    os._exit(0)


def _run(files: array.array[int], folder: str, environment: dict[str, str], arguments: list[str]):
    """Be the interpreter that the caller asked for."""
    os.setsid()
    for target, number in enumerate(files):
        os.dup2(number, target)
        os.close(number)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[0] = ""
    sys.path[1:1] = [path for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path]
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.path[0] = str(Path(arguments[0]).resolve().parent)
        sys.argv = arguments
        runpy.run_path(arguments[0], run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1])
