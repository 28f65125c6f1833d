"""The guided tour in Chromium, from the landing's button to its end, with the time of each step.

    python -m benchmarks.guided_tour [--shots DIR]

It starts the app on an empty workspace, presses what a newcomer would press, and labels a few pairs
by keyboard. The shipped recipes train in full, with the page open and polling.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Error, Page

from tests import chromium
from tests.serving import Server

LIMIT = 900  # seconds
VOTES = 6


def button(page: Page) -> str:
    """The text of the tour's button; empty while there is none to press."""
    found = page.locator("#guide-next")
    try:
        return found.inner_text(timeout=500) if found.is_visible() and found.is_enabled() else ""
    except Error:  # redrawn in the meantime
        return ""


def vote(page: Page, already: int) -> int:
    """Vote on the pair in view; always the left answer."""
    if already == 0:
        page.get_by_label("Your name").fill("ada")
        page.keyboard.press("Enter")
        page.wait_for_timeout(1000)
        page.locator(".lab-prompt").click()
    page.keyboard.press("1")
    page.wait_for_timeout(400)
    return already + 1


def take_tour(page: Page, shots: Path | None) -> None:
    """Press the button until the tour is over; print a line for every step."""
    began, votes, pressed = time.monotonic(), 0, 0
    page.locator("#begin").click()
    while time.monotonic() - began < LIMIT:
        page.wait_for_timeout(500)
        if page.locator(".lab-prompt").is_visible() and votes < VOTES:
            votes = vote(page, votes)
            continue
        text = button(page)
        if not text or text.startswith(("Working", "Writing", "Preparing", "Answer", "Loading")):
            continue
        pressed += 1
        print(f"{time.monotonic() - began:6.0f} s  {text}", flush=True)
        if shots:
            page.screenshot(path=shots / f"tour-{pressed}.png")
        if not text.startswith("Next"):
            return
        page.locator("#guide-next").click()
        page.wait_for_timeout(1500)
    raise SystemExit("The tour did not end in time.")


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the guided tour in a browser.")
    parser.add_argument("--shots", type=Path, help="save a screenshot of every step here")
    shots = parser.parse_args().shots
    if shots:
        shots.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder) / "home").start()
        try:
            with chromium.visit(server.url) as page:
                take_tour(page, shots)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
