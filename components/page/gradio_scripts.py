"""Gradio's two scripts that build its component tree, sent with what they look up kept.

Read in Gradio 6.31. Its tree is made of Svelte's proxies, and four things in it take longer with
every component and every event of the page: each component is compared with the targets of every
event; each value that is read or set is looked for from the root down; every input of an event is
copied whole, with its choices, to be told that the event has begun; and the tree is built a second
time as soon as the page is there, for a reload that only Gradio's development mode asks for. On a
page of this size that is two thirds of the script's time. A script that is not as expected is sent
as it is, only slower; `tests/unit/components/page/test_gradio_scripts.py` says so.
"""

from __future__ import annotations

import functools
import hashlib
import re
from pathlib import Path

import gradio as gr
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from components.ui.theme import STATIC

ASSETS = Path(gr.__file__).parent / "templates" / "frontend" / "assets"

_FIND = re.compile(
    rb"function (\w+)\(e,t\)\{if\(e\.id===t\)return e;"
    rb"if\(e\.children\)for\(let n of e\.children\)\{let e=\1\(n,t\);if\(e\)return e\}return null\}"
)
_EVENTS = re.compile(
    rb"(find_attached_events\(e,t\)\{let n=)"
    rb"t\.filter\(t=>t\.targets\.find\(\(\[t\]\)=>t===e\.id\)\)"
    rb"\.map\(t=>\{let n=t\.targets\.find\(\(\[t\]\)=>t===e\.id\);return n\?n\[1\]:null\}\)"
    rb"\.filter\(Boolean\);"
)
_KEPT = re.compile(
    rb"(\b\w+&&!\(`value`in t\))"
    rb"(&&\(await this\.#\w+\(e,\w+\),await this\.#\w+\(\w+\)\))"
)
_AGAIN = re.compile(rb"(\b\w+\(\)),(\w+\(\(\)=>\{\w+\.reload\(\w+\.components,)")

CHANGES: dict[str, tuple[tuple[re.Pattern[bytes], bytes], ...]] = {
    "core": (
        (_FIND, rb"function \1(e,t){return studioFind(e,t)}"),
        (_EVENTS, rb"\1studioEvents(e.id,t);"),
        (_KEPT, rb"\1&&!studioIsStatus(t)\2"),
    ),
    "Blocks": ((_AGAIN, rb"\1&&\2"),),  # the count of reloads: none yet, none to do
}
"""By the beginning of a script's name: what is replaced in it, each found once, and by what."""
_BEFORE = {"core": (STATIC / "gradio_tree.js").read_bytes()}
_PATH = re.compile(r"/assets/((core|Blocks)-[\w-]+\.js)$")


@functools.cache
def changed(name: str) -> bytes | None:
    """A script as it is sent, by its file's name; None where it is not as expected."""
    file = ASSETS / name
    if not file.is_file():
        return None
    script, kind = file.read_bytes(), name.partition("-")[0]
    for found, by in CHANGES[kind]:
        script, times = found.subn(by, script)
        if times != 1:
            return None
    return _BEFORE.get(kind, b"") + script


class GradioScripts:
    """ASGI middleware that answers for the scripts named in `CHANGES`.

    A browser asks for them again each time, for another app at the same address has its own.
    """

    def __init__(self, app: ASGIApp):
        self.app, self.packed = app, GZipMiddleware(self._answer, compresslevel=5)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = scope["type"] == "http" and scope["method"] == "GET" and _PATH.search(scope["path"])
        known = bool(asked) and changed(asked[1]) is not None
        await (self.packed if known else self.app)(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = _PATH.search(scope["path"])
        script = changed(asked[1]) if asked else None
        mark = f'"{hashlib.sha256(script or b"").hexdigest()[:32]}"'
        headers = {"etag": mark, "cache-control": "no-cache"}
        if Request(scope).headers.get("if-none-match") == mark:
            await Response(status_code=304, headers=headers)(scope, receive, send)
            return
        reply = Response(script, media_type="text/javascript", headers=headers)
        await reply(scope, receive, send)
