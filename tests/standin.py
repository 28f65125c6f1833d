"""A stand-in on the loopback that speaks OpenAI's protocol, for columns served elsewhere."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from studio.generation import openai_endpoint


class StandIn(BaseHTTPRequestHandler):
    """Answers a few words, one an event; what it was asked is in `asked`."""

    asked: list[tuple[str, dict[str, Any], str | None]]
    pause = 0.0
    key: str | None = None

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        type(self).asked.append((self.path, body, self.headers.get("Authorization")))
        if self.key and self.headers.get("Authorization") != f"Bearer {self.key}":
            return self._refuse(401, "no such key")
        if body["model"] == "gone":
            return self._refuse(404, "The model `gone` does not exist.")
        self.send_response(200)
        self.end_headers()
        field = "text" if self.path.endswith("/completions") and "prompt" in body else "delta"
        try:
            for word in self.words(body):
                if word.startswith("data:"):  # as it is, for what no server should send
                    self.wfile.write(f"{word}\n\n".encode())
                    continue
                piece = {"text": word} if field == "text" else {"delta": {"content": word}}
                self._event({"choices": [{**piece, "finish_reason": None}]})
                time.sleep(self.pause)
            self._event({"choices": [{"delta": {}, "finish_reason": "length"}]})
            self._event({"choices": [], "usage": {"completion_tokens": 7}})
            self.wfile.write(b"data: [DONE]\n\n")
        except OSError:
            pass  # the reader hung up: what a cancelled answer looks like from here

    def words(self, body: dict[str, Any]) -> tuple[str, ...]:
        """What is said to a request, a piece an event."""
        return ("It ", "is ", "blue.")

    def _event(self, value: dict[str, Any]) -> None:
        self.wfile.write(f"data: {json.dumps(value)}\n\n".encode())

    def _refuse(self, status: int, why: str) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps({"error": {"message": why}}).encode())

    def log_message(self, *args: Any) -> None:
        """Quiet."""


def serve(monkeypatch: pytest.MonkeyPatch, kind: type[StandIn]) -> Iterator[type[StandIn]]:
    """Serve on a free port, with the studio's settings pointing at it, until the test ends."""
    handler = type("Own", (kind,), {"asked": []})
    found = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=found.serve_forever, daemon=True).start()
    monkeypatch.setenv(openai_endpoint.URL, f"http://127.0.0.1:{found.server_port}/v1/")
    monkeypatch.delenv(openai_endpoint.KEY, raising=False)
    yield handler
    found.shutdown()
    found.server_close()
