"""What is asked before any route of Gradio's: its own ones know nothing of owners and visitors.

Exports are files that anybody who has their address could fetch, and MCP has no login of its own.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

from gradio.context import LocalContext
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from components import people


class Gate:
    """ASGI middleware: exports for owners only, MCP with its token only."""

    def __init__(self, app: ASGIApp, exports: Path):
        self.app, self.exports = app, str(exports)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            request = Request(scope)
            refused = self._refused(request, unquote(request.url.path))
            if refused:
                await PlainTextResponse(refused, status_code=403)(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _refused(self, request: Request, path: str) -> str:
        """Why a request goes no further; nothing where it may."""
        if people.MCP_PATH in path and not people.agent(request):
            return "MCP needs its token: send it as `Authorization: Bearer TOKEN`."
        if "/file" in path and self.exports in path:
            LocalContext.request.set(request)  # pyright: ignore[reportArgumentType]
            LocalContext.blocks.set(request.app.get_blocks())
            if people.visitor() is not None:
                return "Only an owner of this studio may fetch its exports."
        return ""
