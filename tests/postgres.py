"""A PostgreSQL of the tests' own: Debian's package, in a temporary folder, on a socket.

python tests/postgres.py --install     find it, or install it where that is allowed, or say how
"""

from __future__ import annotations

import os
import pwd
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # also as a script

from tests import debian

ADVICE = (
    "PostgreSQL is not here, so its half of the vote store's tests is skipped. "
    "Install it (Debian: apt-get install postgresql)."
)


def find() -> Path | None:
    """The folder of `initdb` and `pg_ctl`, newest version first."""
    on_path = shutil.which("initdb")
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    candidates = [*([Path(on_path).parent] if on_path else []), *folders]
    return next((at for at in candidates if (at / "initdb").is_file()), None)


def _unprivileged() -> list[str]:
    """PostgreSQL refuses to run as root: then it runs as the user that its package made."""
    return ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []


@contextmanager
def running(durable: bool = False) -> Iterator[str]:
    """An empty server; gives its SQLAlchemy URL and takes everything away again.

    It goes with this process even where that is killed: a shell waits for the end of a pipe that
    only this process holds, then stops the server and removes its folder. `durable` keeps fsync on,
    for tests of what survives.
    """
    binaries = find()
    if binaries is None:
        raise FileNotFoundError(ADVICE)
    folder = Path(tempfile.mkdtemp(prefix="studio-pg-", dir="/tmp"))
    if os.geteuid() == 0:
        owner = pwd.getpwnam("postgres")
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    data, run = folder / "data", _unprivileged()
    settings = f"-c listen_addresses='' -c unix_socket_directories={folder}"
    if not durable:
        settings += " -c fsync=off -c full_page_writes=off"
    control = [*run, str(binaries / "pg_ctl"), "-D", str(data), "-w"]
    stop = f"read -r _; {shlex.join([*control, '-m', 'immediate', 'stop'])}; rm -rf {folder}"
    quiet = {"cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    guard = subprocess.Popen(
        ["sh", "-c", stop], stdin=subprocess.PIPE, start_new_session=True, **quiet
    )
    try:
        for words in (
            [
                *run,
                str(binaries / "initdb"),
                "-D",
                str(data),
                "-U",
                "studio",
                "-A",
                "trust",
                "-N",
                "-E",
                "UTF8",
                "--no-locale",
            ],
            [*control, "-l", str(folder / "log"), "-o", settings, "start"],
        ):
            subprocess.run(words, check=True, timeout=60, **quiet)
        yield f"postgresql+psycopg://studio@/postgres?host={folder}"
    finally:
        assert guard.stdin is not None
        guard.stdin.close()
        guard.wait(60)


def main(arguments: list[str]) -> int:
    if find() is None and "--install" in arguments:
        debian.install("postgresql")
    found = find()
    sys.stdout.write(f"PostgreSQL: {found}\n" if found else f"{ADVICE}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
