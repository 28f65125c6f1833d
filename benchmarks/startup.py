"""How long until the page is there, and what a visit costs, beside a bare Gradio app, in turn.

    python -m benchmarks.startup [--rounds 5] [--no-browser]

Each arm is a fresh process and, in Chromium, a fresh person with an empty cache. The first round
warms the disk and is not counted. A line for each round, then medians, and the ratio of each pair's
two arms.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from benchmarks.visits import visit
from tests import chromium
from tests.serving import ROOT, free_port

BARE = """
import sys, gradio as gr
with gr.Blocks() as demo, gr.Tabs():
    for name in ("one", "two"):
        with gr.Tab(name):
            gr.Textbox(label=name, lines=3)
demo.launch(server_port=int(sys.argv[1]), quiet=True, ssr_mode=False)
"""
READY = 12.0  # seconds: the studio's libraries are loaded, which is not what a visit costs


def arm(command: list[str], port: int, home: Path, browse: bool) -> dict[str, Any]:
    """Start a server in a process of its own, wait for its page, visit it, end it."""
    environment = {**os.environ, "STUDIO_HOME": str(home), "GRADIO_ANALYTICS_ENABLED": "False"}
    url, began = f"http://127.0.0.1:{port}/", time.perf_counter()
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait(url, process, command[1])
        measured = {"start": time.perf_counter() - began}
        if browse:
            time.sleep(READY)
            measured |= _browse(url)
        return measured
    finally:
        process.kill()
        process.wait()


def _wait(url: str, process: subprocess.Popen[bytes], name: str) -> None:
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                answer.read()
            return
        except (urllib.error.URLError, OSError):
            if process.poll() is not None:
                raise RuntimeError(f"{name} ended before its page was up") from None
            time.sleep(0.02)


def _browse(url: str) -> dict[str, Any]:
    from playwright.sync_api import sync_playwright

    path = chromium.find()
    if path is None:
        raise SystemExit(chromium.ADVICE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(chromium.FLAGS))
        measured = visit(browser, url)
        browser.close()
    return measured


def main() -> None:
    parser = argparse.ArgumentParser(description="Time to the first page, beside bare Gradio.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--no-browser", action="store_true", help="only until the first answer")
    chosen = parser.parse_args()
    bare, studio = [], []
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(chosen.rounds + 1):
            port, browse = free_port(), bool(turn) and not chosen.no_browser
            first = arm([sys.executable, "-c", BARE, str(port)], port, Path(folder), browse)
            port = free_port()
            command = [sys.executable, "app.py", "--port", str(port)]
            second = arm(command, port, Path(folder) / f"home{turn}", browse)
            if turn:
                bare.append(first)
                studio.append(second)
                print(json.dumps({"bare": first, "studio": second}), flush=True)
    print("| | bare Gradio | studio | ratio |\n|---|---|---|---|")
    for name in bare[0]:
        pairs = [(one[name], other[name]) for one, other in zip(bare, studio, strict=True)]
        middles = [statistics.median(side) for side in zip(*pairs, strict=True)]
        ratios = [other / one for one, other in pairs if one]
        ratio = f"{statistics.median(ratios):.2f}" if ratios else ""
        print(f"| {name} | {middles[0]:.3g} | {middles[1]:.3g} | {ratio} |")


if __name__ == "__main__":
    main()
