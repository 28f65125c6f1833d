"""A PostgreSQL of the tests' own: Debian's package, in a temporary folder, on a socket.

python tests/postgres.py --install     find it, or install it where that is allowed, or say how
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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


def install() -> Path | None:
    """Debian's package, where we are root or may become it without a password."""
    if shutil.which("apt-get") is None:
        return None
    if os.geteuid() == 0:
        prefix: list[str] = []
    elif shutil.which("sudo") and subprocess.run(["sudo", "-n", "true"]).returncode == 0:
        prefix = ["sudo", "-n"]
    else:
        return None
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (
        ["update", "-q"],
        ["install", "-q", "-y", "--no-install-recommends", "postgresql"],
    ):
        subprocess.run([*prefix, "apt-get", *words], env=environment, check=False)
    return find()


def _unprivileged() -> list[str]:
    """PostgreSQL refuses to run as root: then it runs as the user that its package made."""
    return ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []


@contextmanager
def running(durable: bool = False) -> Iterator[str]:
    """An empty server; gives its SQLAlchemy URL and takes everything away again.

    `durable` keeps fsync on, for tests of what survives.
    """
    binaries = find()
    if binaries is None:
        raise FileNotFoundError(ADVICE)
    folder = Path(tempfile.mkdtemp(prefix="studio-pg-", dir="/tmp"))
    if os.geteuid() == 0:
        owner = pwd.getpwnam("postgres")
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    data, run = folder / "data", _unprivileged()

    def call(*words: str) -> None:
        subprocess.run(
            [*run, *words], check=True, cwd=folder, stdout=subprocess.DEVNULL, timeout=60
        )

    settings = f"-c listen_addresses='' -c unix_socket_directories={folder}"
    if not durable:
        settings += " -c fsync=off -c full_page_writes=off"
    control = [str(binaries / "pg_ctl"), "-D", str(data), "-w"]
    try:
        call(str(binaries / "initdb"), "-D", str(data), "-U", "studio", "-A", "trust", "-N",
             "-E", "UTF8", "--no-locale")  # fmt: skip
        call(*control, "-l", str(folder / "log"), "-o", settings, "start")
        try:
            yield f"postgresql+psycopg://studio@/postgres?host={folder}"
        finally:
            call(*control, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main(arguments: list[str]) -> int:
    found = find() or (install() if "--install" in arguments else None)
    sys.stdout.write(f"PostgreSQL: {found}\n" if found else f"{ADVICE}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
