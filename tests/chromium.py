"""Where Chromium is, and how to get it: Debian's package, never a downloaded build.

python tests/chromium.py --install     find it, or install it where that is allowed, or say how
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # also as a script

from tests import debian

if TYPE_CHECKING:
    from playwright.sync_api import Page

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


@contextlib.contextmanager
def visit(url: str) -> Iterator[Page]:
    """A wide page on an address, for scripts: without Chromium they end with the advice."""
    from playwright.sync_api import sync_playwright

    path = find()
    if path is None:
        raise SystemExit(ADVICE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(url)
        yield page
        browser.close()


def main(arguments: list[str]) -> int:
    if find() is None and "--install" in arguments:
        debian.install("chromium", "fonts-dejavu-core")
    path = find()
    if path is None:
        sys.stderr.write(ADVICE + "\n")
        return 1
    sys.stdout.write(f"Chromium: {path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
