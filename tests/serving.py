"""The real app in a process of its own, for tests that talk to it from outside."""

from __future__ import annotations

import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from tests.preloaded import Child, PreloadedPython, start_python

ROOT = Path(__file__).resolve().parents[1]
UP_WITHIN = 60.0  # seconds; a bare Gradio app takes three to eight on two busy cores


def free_port() -> int:
    """A port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass
class Server:
    """`python app.py` on a free port with a workspace of its own."""

    home: Path
    port: int = field(default_factory=free_port)
    environment: dict[str, str] = field(default_factory=dict)
    python: PreloadedPython | None = None  # with the libraries loaded, instead of a new one
    process: subprocess.Popen[bytes] | Child | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    @property
    def log(self) -> str:
        """What the app has printed so far."""
        path = self.home / "server.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self) -> Server:
        """Start it and return once the page answers."""
        self.home.mkdir(parents=True, exist_ok=True)
        environment = {
            **os.environ,
            "STUDIO_HOME": str(self.home),
            "HF_HUB_OFFLINE": "1",
            "GRADIO_ANALYTICS_ENABLED": "False",
            **self.environment,
        }
        with (self.home / "server.log").open("ab") as log:
            popen = self.python.popen if self.python else start_python
            self.process = popen(["app.py", "--port", str(self.port)], ROOT, environment, log)
        deadline = time.monotonic() + UP_WITHIN
        while not self.answers():
            if self.process.poll() is not None:
                raise RuntimeError(f"The app ended at once:\n{self.log}")
            if time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"The app was not up within {UP_WITHIN:.0f} s:\n{self.log}")
            time.sleep(0.1)
        return self

    def answers(self) -> bool:
        """Whether the page is served."""
        try:
            with urllib.request.urlopen(self.url, timeout=5) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def stop(self) -> None:
        """End it as a person would, and by force where that takes too long."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.kill()
        self.process = None

    def kill(self) -> None:
        """End it as a power cut would: `kill -9`."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
