"""Programs that tests need from Debian: found, or installed where that is allowed."""

from __future__ import annotations

import os
import shutil
import subprocess


def install(*packages: str) -> None:
    """`apt-get install`, where we are root or may become it without a password; else nothing."""
    if shutil.which("apt-get") is None:
        return
    if os.geteuid() == 0:
        prefix: list[str] = []
    elif shutil.which("sudo") and subprocess.run(["sudo", "-n", "true"]).returncode == 0:
        prefix = ["sudo", "-n"]
    else:
        return
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update", "-q"], ["install", "-q", "-y", "--no-install-recommends", *packages]):
        subprocess.run([*prefix, "apt-get", *words], env=environment, check=False)
