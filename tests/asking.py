"""Who asks: the labeling panel's questions over HTTP, as the page does, and an owner in here."""

from __future__ import annotations

import contextlib
import http.client
import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from gradio.context import LocalContext

OWNER = SimpleNamespace(headers={}, cookies={}, url=SimpleNamespace(path="/"), client=None)
"""A request from this machine, whose user owns the studio."""
FUNCTIONS = "/gradio_api/component_server"


def panel_of(port: int) -> int:
    """The labeling panel's number in the app that listens on `port`."""
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        line.request("GET", "/config")
        parts = json.loads(line.getresponse().read())["components"]
    finally:
        line.close()
    return next(part["id"] for part in parts if part["props"].get("elem_id") == "label-panel")


class Asker:
    """One person's connection to the panel's functions; `OSError` or `HTTPException` when cut."""

    def __init__(self, port: int, panel: int, project: str, name: str):
        self.line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.panel, self.seat = panel, {"project": project, "annotator": name}

    def __call__(self, function: str, **more: Any) -> dict[str, Any]:
        body = {
            "session_hash": self.seat["annotator"],
            "component_id": self.panel,
            "fn_name": function,
            "data": {**self.seat, **more},
        }
        try:
            self.line.request(
                "POST", FUNCTIONS, json.dumps(body), {"Content-Type": "application/json"}
            )
            reply = json.loads(self.line.getresponse().read())
        finally:
            self.line.close()  # the server drops a line that was silent for five seconds
        if "error" in reply:
            raise RuntimeError(reply["error"])
        return reply


@contextlib.contextmanager
def owner_asks(path: str = "/", token: str = "") -> Iterator[None]:
    """Handlers called inside answer a request from this machine, whose user owns the studio."""
    headers = {"authorization": f"Bearer {token}"} if token else {}
    url = SimpleNamespace(path=path)
    request = SimpleNamespace(headers=headers, cookies={}, url=url, client=None)
    earlier = LocalContext.request.set(request)  # pyright: ignore[reportArgumentType]
    try:
        yield
    finally:
        LocalContext.request.reset(earlier)
