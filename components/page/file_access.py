"""A check before every route: Gradio's own know nothing of owners, visitors and other pages.

Without it, any web page could drive a studio that is open in the same browser, anybody with an
export's address could download it, and MCP has no login of its own.
"""

from __future__ import annotations

import logging
import os
import re
import time
from pathlib import Path

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from components.page import origins, sessions
from components.ui import access, compat
from components.ui.handlers import FULL, sentence
from studio.core.workspace import RESERVE, Workspace

log = logging.getLogger("studio.page")
_FILE = re.compile(r"/file[=/](.*)", re.DOTALL)
"""Gradio's file routes; what follows is the path on disk."""
_UPLOAD = "/upload"
_TORN = 3600.0  # seconds after which nobody is still sending the rest of a file


class Gate:
    """ASGI middleware: own pages and programs only, files for owners, MCP with its token, and few
    sessions for each of the others."""

    def __init__(self, app: ASGIApp, workspace: Workspace):
        self.app, self._workspace = app, workspace
        self._exports = workspace.exports.resolve()
        self._sessions = sessions.Sessions()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        compat.bind_request(request, request.app.get_blocks())
        shared = origins.cors(request.headers)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(shared)
                if headers.get("content-type", "").startswith("text/html"):
                    headers["content-security-policy"] = origins.framed_by()
            await send(message)

        refused, status = self._refused(request), 403
        if not refused and sessions.opens(scope["method"], scope["path"]):
            refused, status, receive = await self._session_refused(receive)
        if refused:
            await PlainTextResponse(refused, status_code=status)(scope, receive, answer)
        elif _preflight(scope["method"], request.headers):
            await PlainTextResponse("")(scope, receive, answer)
        else:
            await self._answered(scope, receive, answer)

    async def _answered(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the routes answer; what they raise before they begin is a sentence."""
        begun = False

        async def answer(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, answer)
        except Exception as error:
            if begun:
                raise
            words, status = _raised(error)
            await PlainTextResponse(words, status_code=status)(scope, receive, send)

    async def _session_refused(self, receive: Receive) -> tuple[str, int, Receive]:
        """Why what opens a session is refused, with its status, and the body to read again."""
        who = access.visitor()
        if who is None:
            return "", 200, receive
        try:
            body, receive = await sessions.read(receive)
        except sessions.TooLarge:
            return "What this page sent is too large; shorten the text.", 413, receive
        return self._sessions.refused(body, who), 429, receive

    def _refused(self, request: Request) -> str:
        """Why a request is refused; empty where it is not."""
        # Decoded once already, and what Gradio's routes are matched with: `request.url.path` ends
        # at a decoded "?".
        path: str = request.scope["path"]
        if not compat.logins() and not access.space():
            unknown = origins.unknown_host(request.headers)
            if unknown:
                return unknown
        foreign = origins.foreign(request.method, request.headers)
        if foreign:
            return foreign
        if path.startswith(access.MCP_PATH) and not access.agent(request):
            return "MCP needs its token: send it as `Authorization: Bearer TOKEN`."
        if self._is_export(path) and access.visitor() is not None:
            return "Only an owner of this studio may download its exports."
        if path.endswith(_UPLOAD) and request.method == "POST":
            return self._upload_refused(request.headers)
        return ""

    def _upload_refused(self, headers: Headers) -> str:
        """Why a file is not taken: what visitors do needs none, and votes need some room."""
        if access.visitor() is not None:
            return "Only an owner of this studio may upload files."
        sent = headers.get("content-length", "")
        size = int(sent) if sent.isdigit() else 0
        if self._workspace.free_bytes() < size + RESERVE:
            return "The disk of this studio is nearly full: free some space, then upload it again."
        return ""

    def _is_export(self, path: str) -> bool:
        """Whether Gradio would serve an export for it; it accepts `..` and relative paths too."""
        match = _FILE.search(path)
        if match is None:
            return False
        try:  # as Gradio opens it: `..` is taken away before links are followed
            return Path(os.path.abspath(match[1])).resolve().is_relative_to(self._exports)
        except (OSError, ValueError):  # no name of a file, such as one with a NUL
            return True


def _raised(error: Exception) -> tuple[str, int]:
    """What Gradio's routes raised, as a sentence with its status."""
    if isinstance(error, KeyError | IndexError):
        log.warning("A part that is not there was asked for", exc_info=error)
        return "This page is older than the studio, which has no such part; reload the page.", 404
    words = sentence(error)
    return words, 507 if words == FULL else 500


def _preflight(method: str, headers: Headers) -> bool:
    return method == "OPTIONS" and "access-control-request-method" in headers


def remove_torn_uploads(folder: Path) -> None:
    """Delete files whose upload broke off: Gradio names them after `tempfile` and forgets them."""
    for path in folder.glob("tmp*") if folder.is_dir() else ():
        if path.is_file() and time.time() - path.stat().st_mtime > _TORN:
            path.unlink(missing_ok=True)
