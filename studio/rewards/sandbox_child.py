"""The program that runs an answer's code, cut off from everything: see `studio.rewards.sandbox`.

Started as a file of its own with the standard library alone, so that nothing of the studio is in
its memory. It reads {"code", "tests", "token", "memory", "seconds"} from stdin and writes one line
of JSON, {"token", "passed", "why"}. Between the two it gives up everything but the system calls
that computing needs: opening a file, a socket or a process is refused by the kernel from then on.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import platform
import resource
import struct
import sys
from typing import Any

# What an answer may import; nothing can be opened later, so it is in memory before.
_STANDARD = (
    "abc array ast base64 bisect calendar cmath collections collections.abc contextlib copy "
    "copyreg dataclasses datetime decimal difflib enum fractions functools graphlib hashlib heapq "
    "html inspect io itertools json keyword linecache locale math numbers operator pprint queue "
    "random re reprlib secrets statistics string struct textwrap time token tokenize traceback "
    "types typing unicodedata unittest uuid warnings weakref zlib _strptime encodings.idna"
)
MODULES = tuple(_STANDARD.split())
# System calls by name: (x86_64, aarch64), from the kernel's tables.
_CALLS = {
    "read": (0, 63),
    "write": (1, 64),
    "close": (3, 57),
    "fstat": (5, 80),
    "lseek": (8, 62),
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "munmap": (11, 215),
    "brk": (12, 214),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sched_yield": (24, 124),
    "mremap": (25, 216),
    "madvise": (28, 233),
    "nanosleep": (35, 101),
    "getpid": (39, 172),
    "exit": (60, 93),
    "gettimeofday": (96, 169),
    "getrusage": (98, 165),
    "times": (100, 153),
    "sigaltstack": (131, 132),
    "gettid": (186, 178),
    "futex": (202, 98),
    "sched_getaffinity": (204, 123),
    "restart_syscall": (219, 128),
    "clock_gettime": (228, 113),
    "clock_getres": (229, 114),
    "clock_nanosleep": (230, 115),
    "exit_group": (231, 94),
    "getrandom": (318, 278),
    "rseq": (334, 293),
}
ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
_NO_NEW_PRIVS, _SET_SECCOMP, _FILTER = 38, 22, 2
_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050001, 0x80000000  # refuse: errno EPERM
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06  # BPF: a word at an offset; a comparison; the end
_NEW_USER, _NEW_NET, _NEW_IPC = 0x10000000, 0x40000000, 0x08000000
_NOBODY = 65534


def limit(memory: int, seconds: int) -> None:
    """Memory in bytes and processor time; no process, no file, no core dump."""
    for what, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (most, most))


def leave(libc: Any) -> None:
    """An empty network and a user who owns nothing, where the kernel lets us; the filter below
    refuses both without them."""
    root = os.geteuid() == 0
    libc.unshare(_NEW_NET | _NEW_IPC | (0 if root else _NEW_USER))
    if root:
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)


def refuse_calls(libc: Any) -> None:
    """Every system call but those of `_CALLS` fails from now on; `OSError` where that cannot be."""
    column, architecture = ARCHITECTURES[platform.machine()]
    numbers = [pair[column] for pair in _CALLS.values()]
    steps = [
        (_LOAD, 0, 0, 4),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, 0),
    ]
    for at, number in enumerate(numbers):
        steps.append((_EQUAL, len(numbers) - at, 0, number))
    steps += [(_RETURN, 0, 0, _REFUSE), (_RETURN, 0, 0, _ALLOW)]
    code = b"".join(struct.pack("HBBI", *step) for step in steps)
    held = ctypes.create_string_buffer(code, len(code))
    where = struct.pack("HxxxxxxP", len(steps), ctypes.addressof(held))
    program = ctypes.create_string_buffer(where, len(where))
    if libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(_SET_SECCOMP, _FILTER, program, 0, 0):
        raise OSError(ctypes.get_errno(), "the kernel takes no filter of system calls")


class _Nowhere:
    """What is printed is not kept."""

    encoding = "utf-8"

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return False


def outcome(code: str, tests: str, megabytes: int) -> tuple[bool, str]:
    """(whether all tests pass, why not)."""
    space: dict[str, Any] = {"__name__": "answer", "__builtins__": __builtins__}
    what = "answer"
    try:
        exec(compile(code, "answer", "exec"), space)
        what = "tests"
        exec(compile(tests, "tests", "exec"), space)
    except MemoryError:
        space.clear()
        return False, f"It needed more than {megabytes} MB of memory."
    except SystemExit:
        return False, "It ended itself before its tests were through."
    except RecursionError:
        return False, "It called itself without end."
    except AssertionError as error:
        line = _line(error, tests)
        return False, f"A test failed: {line}" if line else "A test failed."
    except (PermissionError, BlockingIOError) as error:
        return False, f"It tried to use a file, the network or a process: {_said(error)}."
    except ImportError as error:
        return (
            False,
            f"It imports {error.name}; it has {len(MODULES)} of Python's own modules only.",
        )
    except BaseException as error:
        return False, f"The {what} broke off with {_said(error)}."
    return True, ""


def _line(error: BaseException, tests: str) -> str:
    """The line of the tests that failed."""
    numbers = []
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "tests":
            numbers.append(trace.tb_lineno)
        trace = trace.tb_next
    lines = tests.splitlines()
    return lines[numbers[0] - 1].strip()[:160] if numbers else ""


def _said(error: BaseException) -> str:
    first = (str(error).splitlines() or [""])[0][:160]
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def main() -> None:
    for name in MODULES:
        importlib.import_module(name)
    given = json.loads(sys.stdin.buffer.read())
    libc = ctypes.CDLL(None, use_errno=True)
    os.closerange(3, 1024)
    os.close(0)
    limit(given["memory"], given["seconds"])
    leave(libc)
    refuse_calls(libc)
    del sys.modules["ctypes"]
    sys.stdout = sys.stderr = _Nowhere()  # type: ignore[assignment]
    token = given["token"]
    passed, why = outcome(given["code"], given["tests"], given["memory"] >> 20)
    os.write(1, json.dumps({"token": token, "passed": passed, "why": why}).encode())
    os._exit(0)


if __name__ == "__main__":
    main()
