"""The page's document, as small and as quick to start from as Gradio lets it be.

Gradio writes its whole configuration into the document, uncompressed, with what only programs need
(the API's endpoints and their types). `static/first.js` mends what it does with it in the browser.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from starlette.datastructures import Headers
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from components.ui.theme import STATIC

_FOR_PROGRAMS = frozenset({"api_info", "api_info_as_input", "api_info_as_output", "example_inputs"})
_CONFIG = b"<script>window.gradio_config ="
_API_INFO = re.compile(rb"(<script>window\.gradio_api_info =).*?(;</script>)", re.DOTALL)
_NO_API = rb'\1 {"named_endpoints": {}, "unnamed_endpoints": {}}\2'
FIRST = f"<script>{(STATIC / 'first.js').read_text(encoding='utf-8')}</script>".encode()
"""What must run before Gradio does."""


def is_asked_for(request: Any) -> bool:
    """Whether a browser asks for the page itself, rather than a program for the configuration."""
    return getattr(request, "scope", {}).get("path") == "/"


def without_api(config: Any, visible: Mapping[str, bool]) -> Any:
    """A configuration without what only programs use: endpoints, their parameters and types.

    `visible` says of some components, by `elem_id`, whether they are there from the start.
    """
    components = [
        {key: value for key, value in one.items() if key not in _FOR_PROGRAMS}
        for one in config["components"]
        if one["type"] != "api"
    ]
    for one in components:
        name = one["props"].get("elem_id")
        if name in visible:
            one["props"] = {**one["props"], "visible": visible[name]}
    events = [one for one in config["dependencies"] if one["targets"]]
    return {**config, "components": components, "dependencies": events}


class Document:
    """ASGI middleware that rewrites and compresses the answer to `GET /`."""

    def __init__(self, app: ASGIApp):
        self.app, self.packed = app, GZipMiddleware(self._rewritten, compresslevel=5)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        document = scope["type"] == "http" and (scope["method"], scope["path"]) == ("GET", "/")
        await (self.packed if document else self.app)(scope, receive, send)

    async def _rewritten(self, scope: Scope, receive: Receive, send: Send) -> None:
        start: Message = {}
        parts: list[bytes] = []

        async def answer(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                return
            if message["type"] != "http.response.body":  # an extension's, such as a test client's
                await send(message)
                return
            parts.append(message.get("body", b""))
            if message.get("more_body"):
                return
            body = b"".join(parts)
            if Headers(raw=start["headers"]).get("content-type", "").startswith("text/html"):
                body = rewritten(body)
            headers = [pair for pair in start["headers"] if pair[0] != b"content-length"]
            headers.append((b"content-length", str(len(body)).encode()))
            await send({**start, "headers": headers})
            await send({"type": "http.response.body", "body": body})

        await self.app(scope, receive, answer)


def rewritten(page: bytes) -> bytes:
    """A document whose configuration Svelte does not watch, and without the API's description."""
    return _API_INFO.sub(_NO_API, page.replace(_CONFIG, FIRST + _CONFIG, 1), count=1)
