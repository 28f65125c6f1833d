"""What somebody who is no owner may send to Gradio's routes: small bodies, and few sessions.

Gradio makes the state of a session, a tenth of a megabyte, for whatever `session_hash` it is sent,
or for each call that names none, and drops the oldest beyond `state_session_capacity`. Its script
invents the hash in the browser, so that none is known beforehand; but a page has one, and a person
a few pages.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from starlette.types import Message, Receive

PER_HOUR = 120
"""New sessions of a person (a login, or an address) within an hour."""
LARGEST = 4 << 20
"""Bytes of what a page sends for somebody who uploads nothing."""
_ROUTES = re.compile(r"/(queue/join|component_server|(run|api|call|call/v2)/[^/]+)/?\Z")
_HASH = re.compile(r"[0-9A-Za-z_-]{1,40}")  # Gradio's script: 10 or 11 of [0-9a-z]; clients: a UUID
_HOUR = 3600.0
_PEOPLE = 10_000


class TooLarge(Exception):
    """A body of more than `LARGEST` bytes."""


class Sessions:
    """Who opened which sessions lately; one for the app."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock, self._lock = clock, threading.Lock()
        self._opened: OrderedDict[str, dict[str, float]] = OrderedDict()

    def refused(self, body: bytes, who: str) -> str:
        """Why a request is refused; empty where it is not."""
        try:
            sent = json.loads(body)
        except (ValueError, RecursionError):
            return "This request is no JSON object; send what the page sends."
        named = sent.get("session_hash") if isinstance(sent, dict) else None
        if named is not None and not (isinstance(named, str) and _HASH.fullmatch(named)):
            return "No page has such a session_hash; reload the page."
        now = self._clock()
        with self._lock:
            own = self._opened.setdefault(who, {})
            self._opened.move_to_end(who)
            while len(self._opened) > _PEOPLE:
                self._opened.popitem(last=False)
            for session in [name for name, at in own.items() if now - at > _HOUR]:
                del own[session]
            if named not in own and len(own) >= PER_HOUR:
                return f"One person opens up to {PER_HOUR} pages an hour; use those that are open."
            own[named or f"call {len(own)} {now}"] = now
        return ""


def opens(method: str, path: str) -> bool:
    """Whether Gradio makes a session's state for a request."""
    return method == "POST" and _ROUTES.search(path) is not None


async def read(receive: Receive) -> tuple[bytes, Receive]:
    """A request's body, and what hands it out again; `TooLarge` beyond `LARGEST` bytes."""
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            break
        parts.append(message.get("body", b""))
        size, more = size + len(parts[-1]), message.get("more_body", False)
        if size > LARGEST:
            raise TooLarge
    body = b"".join(parts)
    left = [body]

    async def again() -> Message:
        if left:
            return {"type": "http.request", "body": left.pop(), "more_body": False}
        return await receive()

    return body, again
