"""How long until the page is there: the studio beside a bare Gradio app, in turn, as a ratio.

    python -m benchmarks.startup [--rounds 5]

Each arm is a fresh process; the clock stops at the first complete answer to `GET /`.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from tests.serving import ROOT, free_port

BARE = """
import sys, gradio as gr
with gr.Blocks() as demo:
    gr.Textbox()
demo.launch(server_port=int(sys.argv[1]), quiet=True, ssr_mode=False)
"""


def seconds_to_page(command: list[str], port: int, home: Path) -> float:
    """Start a server in a process of its own, wait for its page, end it."""
    environment = {**os.environ, "STUDIO_HOME": str(home), "GRADIO_ANALYTICS_ENABLED": "False"}
    began = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
                    answer.read()
                return time.perf_counter() - began
            except (urllib.error.URLError, OSError):
                if process.poll() is not None:
                    raise RuntimeError(f"{command[1]} ended before its page was up") from None
                time.sleep(0.02)
    finally:
        process.kill()
        process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description="Time to the first page, beside bare Gradio.")
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    bare, studio = [], []
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(rounds + 1):  # the first round warms the disk and is not counted
            port = free_port()
            first = seconds_to_page([sys.executable, "-c", BARE, str(port)], port, Path(folder))
            port = free_port()
            command = [sys.executable, "app.py", "--port", str(port)]
            second = seconds_to_page(command, port, Path(folder) / f"home{turn}")
            if turn:
                bare.append(first)
                studio.append(second)
    print("| | median s | min | max |\n|---|---|---|---|")
    for name, times in (("bare Gradio", bare), ("studio", studio)):
        middle = statistics.median(times)
        print(f"| {name} | {middle:.2f} | {min(times):.2f} | {max(times):.2f} |")
    pairs = statistics.median(b / a for a, b in zip(bare, studio, strict=True))
    print(f"\nratio, median of pairs: {pairs:.2f}")


if __name__ == "__main__":
    main()
