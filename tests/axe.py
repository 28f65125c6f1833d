"""axe-core, the accessibility checker, from npm: fetched once, kept outside the checkout."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

PACKAGE = "axe-core@4.11.0"
KEPT = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "alignment-studio"


@functools.cache
def script() -> str | None:
    """The checker's source; None where npm is not here or cannot fetch it."""
    kept = KEPT / f"{PACKAGE.replace('@', '-')}.js"
    if not kept.exists():
        npm = shutil.which("npm")
        if npm is None:
            return None
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(
                [npm, "pack", PACKAGE], cwd=folder, capture_output=True, timeout=90, check=False
            )
            packed = next(Path(folder).glob("*.tgz"), None)
            if done.returncode or packed is None:
                return None
            with tarfile.open(packed) as archive:
                source = archive.extractfile("package/axe.min.js")
                assert source is not None
                text = source.read()
        KEPT.mkdir(parents=True, exist_ok=True)
        half = kept.with_suffix(f".{os.getpid()}")
        half.write_bytes(text)
        half.replace(kept)
    return kept.read_text(encoding="utf-8")
