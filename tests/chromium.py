"""Where Chromium is, and how to get it: Debian's package, never a downloaded build.

python tests/chromium.py --install     find it, or install it where that is allowed, or say how
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-quic")
ADVICE = (
    "The browser tests need Chromium. Install it (Debian: apt-get install chromium) "
    "or name one: CHROMIUM=/path/to/chromium."
)


def find() -> str | None:
    """Path of the Chromium to use: `$CHROMIUM`, else the first known name on the PATH."""
    chosen = os.environ.get("CHROMIUM")
    if chosen:
        return shutil.which(chosen)
    return next(filter(None, map(shutil.which, NAMES)), None)


def install() -> str | None:
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
    for command in (["update", "-q"], ["install", "-q", "-y", "--no-install-recommends"]):
        packages = ["chromium", "fonts-dejavu-core"] if command[0] == "install" else []
        subprocess.run([*prefix, "apt-get", *command, *packages], env=environment, check=False)
    return find()


def main(arguments: list[str]) -> int:
    path = find() or (install() if "--install" in arguments else None)
    if path is None:
        sys.stderr.write(ADVICE + "\n")
        return 1
    sys.stdout.write(f"Chromium: {path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
