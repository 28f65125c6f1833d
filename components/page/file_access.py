"""A check before every route: Gradio's own know nothing of owners and visitors.

Without it, anybody with an export's address could download it, and MCP has no login of its own.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from components.ui import access, compat

_FILE = re.compile(r"/file[=/](.*)", re.DOTALL)
"""Gradio's file routes; what follows is the path on disk."""


class Gate:
    """ASGI middleware: exports are for owners, MCP needs its token."""

    def __init__(self, app: ASGIApp, exports: Path):
        self.app, self.exports = app, exports.resolve()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            request = Request(scope)
            refused = self._refused(request, unquote(request.url.path))
            if refused:
                await PlainTextResponse(refused, status_code=403)(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _refused(self, request: Request, path: str) -> str:
        """Why a request is refused; empty where it is not."""
        if access.MCP_PATH in path and not access.agent(request):
            return "MCP needs its token: send it as `Authorization: Bearer TOKEN`."
        if self._is_export(path):
            compat.bind_request(request, request.app.get_blocks())
            if access.visitor() is not None:
                return "Only an owner of this studio may download its exports."
        return ""

    def _is_export(self, path: str) -> bool:
        """Whether Gradio would serve an export for it; it accepts `..` and relative paths too."""
        match = _FILE.search(path)
        if match is None:
            return False
        return Path(os.path.abspath(match[1])).resolve().is_relative_to(self.exports)
