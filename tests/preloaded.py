"""`python` for tests without its seconds of imports: children forked from a process that has them.

`PreloadedPython` starts one process that imports torch, transformers, PEFT, TRL and the rest, and
forks a child for each `python -m studio ...` and `python script.py`, with the caller's folder,
environment, input and output. `popen` starts one as `subprocess.Popen` does; `executable` is a
`python` to put first on a PATH, which ends with the child's exit status. All other calls, and those
whose environment holds a setting that libraries read as they are imported, go to the real
interpreter. Not for machines with a GPU: CUDA does not work in a fork of a process that asked for
it.

All workers of a test session share one: the first that needs it starts it, and it ends when nobody
holds a lease on it, an open connection, any more.
"""

from __future__ import annotations

import array
import atexit
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
import threading
import traceback
from contextlib import suppress
from pathlib import Path
from typing import IO

from filelock import FileLock

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
    "app",
    "studio.cli",
)
# Settings with these beginnings are read once, by the import of a library or by Python itself.
READ_AT_IMPORT = (
    *("ACCELERATE_", "BNB_", "GRADIO_", "HF_", "LANG", "LC_", "MKL_", "NO_COLOR"),
    *("OMP_", "PYTHONIO", "PYTHONUN", "TOKENIZERS_", "TORCH", "TRANSFORMERS_", "TRL_"),
)
# What libraries set themselves as they are imported.
SET_AT_IMPORT = ("HF_HUB_DISABLE_TELEMETRY", "TORCHINDUCTOR_CACHE_DIR")
# Runs with -S -E: a few milliseconds of an interpreter without site-packages.
CLIENT = """#!{python} -SE
import array, json, os, signal, socket, struct, sys
arguments, known = sys.argv[1:], json.loads({known!r})
here = {{
    name: text for name, text in os.environ.items()
    if name.startswith({prefixes!r}) and name not in {theirs!r}
}}
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
(child,) = struct.unpack("!I", line.recv(4, socket.MSG_WAITALL))
signal.signal(signal.SIGTERM, lambda number, frame: os.kill(child, number))
status = line.recv(1)
os._exit(status[0] if status else 1)
"""


def read_at_import(environment: dict[str, str]) -> dict[str, str]:
    """The settings of an environment that a library may have read already."""
    return {
        name: text
        for name, text in environment.items()
        if name.startswith(READ_AT_IMPORT) and name not in SET_AT_IMPORT
    }


def start_python(
    arguments: list[str], cwd: Path, env: dict[str, str], output: IO[bytes]
) -> subprocess.Popen[bytes]:
    """Start `python *arguments` with its output and errors in one file."""
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=cwd,
        env=env,
        stdout=output,
        stderr=output,
        start_new_session=True,
    )


class Child:
    """A forked call, as `subprocess.Popen` shows one."""

    def __init__(self, line: socket.socket):
        self._line = line
        (self.pid,) = struct.unpack("!I", line.recv(4, socket.MSG_WAITALL))
        self.returncode: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        """The exit status; `subprocess.TimeoutExpired` where it does not end in time."""
        if self.returncode is None:
            if not select.select([self._line], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
            status = self._line.recv(1)
            self._line.close()
            self.returncode = status[0] if status else 1
        return self.returncode

    def poll(self) -> int | None:
        """The exit status once it has ended."""
        with suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def terminate(self) -> None:
        """SIGTERM."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


class PreloadedPython:
    """The process with the libraries, and the folder with its `python`."""

    def __init__(self, shared: Path):
        """Use the process that the file `shared` names, or start one and write it there."""
        with FileLock(f"{shared}.lock"):
            try:
                self.folder = Path(shared.read_text())
                self._lease = self._connect()
            except OSError:  # none was started, or it has ended
                self.folder = Path(tempfile.mkdtemp(prefix="python-"))
                self._begin()
                self._lease = self._connect()
                shared.write_text(str(self.folder))
        self._lease.sendall(struct.pack("!I", 0))
        self.executable = self.folder / "python"
        self._known = json.loads((self.folder / "known").read_text())

    def _begin(self) -> None:
        address = str(self.folder / "line")
        known = json.dumps(read_at_import(dict(os.environ)))
        (self.folder / "known").write_text(known)
        client = CLIENT.format(
            python=sys.executable,
            address=address,
            known=known,
            prefixes=READ_AT_IMPORT,
            theirs=SET_AT_IMPORT,
        )
        executable = self.folder / "python"
        executable.write_text(client)
        executable.chmod(0o755)
        process = subprocess.Popen(
            [sys.executable, __file__, address], stdout=subprocess.PIPE, start_new_session=True
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"listening\n"

    def _connect(self) -> socket.socket:
        line = socket.socket(socket.AF_UNIX)
        line.connect(str(self.folder / "line"))
        return line

    def popen(
        self, arguments: list[str], cwd: Path, env: dict[str, str], output: IO[bytes]
    ) -> Child | subprocess.Popen[bytes]:
        """`start_python` without the imports."""
        if read_at_import(env) != self._known:
            return start_python(arguments, cwd, env, output)
        line = self._connect()
        call = json.dumps([str(cwd), env, arguments]).encode()
        files = array.array("i", [0, output.fileno(), output.fileno()])
        line.sendmsg(
            [struct.pack("!I", len(call))], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)]
        )
        line.sendall(call)
        return Child(line)

    def close(self) -> None:
        """Give the lease back; what was started here ends with this process."""
        self._lease.close()


def main(address: str) -> None:
    """Import the libraries, then fork a child for each call until nobody holds a lease."""
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    gc.disable()
    for name in LIBRARIES:
        importlib.import_module(name)
    gc.enable()
    gc.freeze()  # what was imported stays shared with the children
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen()
    os.write(1, b"listening\n")
    leases: list[socket.socket] = []
    while True:
        readable, _, _ = select.select([listener, *leases], [], [])
        for lease in set(readable) - {listener}:
            leases.remove(lease)
            lease.close()
            if not leases:
                shutil.rmtree(Path(address).parent, ignore_errors=True)
                return
        if listener in readable:
            line, _ = listener.accept()
            size, ancillary, _, _ = line.recvmsg(4, socket.CMSG_SPACE(3 * 4), socket.MSG_WAITALL)
            (length,) = struct.unpack("!I", size.rjust(4, b"\0"))
            if length == 0:
                leases.append(line)
                continue
            files = array.array("i", ancillary[0][2])
            if os.fork() == 0:
                for held in (listener, *leases):
                    held.close()
                _supervise(line, files, length)
                return
            for number in files:
                os.close(number)
            line.close()
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass


def _supervise(line: socket.socket, files: array.array[int], length: int) -> None:
    """Fork the call itself; tell its exit status, and end it where the caller is gone."""
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
    line.sendall(struct.pack("!I", child))
    ended = os.pidfd_open(child)
    readable, _, _ = select.select([line, ended], [], [])
    if ended not in readable:  # the caller was killed
        with suppress(ProcessLookupError):
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
    status: object = None
    try:
        if arguments[0] == "-m":
            sys.argv = arguments[1:]
            runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
        else:
            sys.path[0] = str(Path(arguments[0]).resolve().parent)
            sys.argv = arguments
            runpy.run_path(arguments[0], run_name="__main__")
    except SystemExit as ended:
        status = ended.code
    except BaseException:
        traceback.print_exc()
        status = 1
    _end(status)


def _end(status: object) -> None:
    """End as the interpreter does, but leave all that was imported to the kernel: a second less."""
    if not isinstance(status, int | None):
        sys.stderr.write(f"{status}\n")
        status = 1
    threading._shutdown()  # pyright: ignore[reportAttributeAccessIssue]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(status or 0)


if __name__ == "__main__":
    main(sys.argv[1])
