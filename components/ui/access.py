"""Who is asking and what they may do: owners everything, visitors compare and label.

It depends on where the app runs. With logins (`--auth`), the name is the login, whatever was typed,
and the owners are `STUDIO_OWNERS` (comma-separated), by default the first login. On a Space, the
name is the Hub user name and the owner is the Space's author by default; anybody who is not signed
in is a visitor, and so is everybody where the Space has no sign-in. Elsewhere the typed name counts
and everybody is an owner.

`guard` in `components.ui.handlers` checks here before every handler, and each panel's server
functions before every request.
"""

from __future__ import annotations

import hmac
import os
from dataclasses import dataclass
from typing import Any

from components.ui import compat
from studio.core.errors import DataError

MCP_PATH = "/gradio_api/mcp"
SERVE_PATH = "/v1/"
SHORTEST_KEY = 16


@dataclass(frozen=True)
class Person:
    """The name that votes are stored under. `login`: the app has verified it."""

    name: str
    owner: bool
    login: bool = False

    def must_own(self, what: str) -> None:
        """Raise `DataError` unless this is an owner; `what` completes "may ..."."""
        if not self.owner:
            more = "Duplicate this Space to have your own." if space() else "Ask one of them."
            raise DataError(f"Only an owner of this studio may {what}. {more}")


def person(typed: str = "") -> Person:
    """Whoever sent the current request, nobody where there is none; `DataError`: log in first."""
    request = compat.current_request()
    if request is None:  # what the app does by itself asks for nobody's permission
        return Person(typed, owner=False)
    if agent(request):
        return Person("agent", owner=True, login=True)
    holder = key_holder(request)
    if holder is not None:
        owners = _named_owners() or {next(iter(serve_keys().values()))}
        return Person(holder, holder in owners, login=True)
    logins = compat.logins()
    if logins:
        user = compat.account(request)
        if user is None:
            raise DataError("Log in first: reload the page.")
        return Person(user, user in (_named_owners() or {logins[0][0]}), login=True)
    if hub_login():
        user = compat.hub_user(request)
        if user is None:
            raise DataError("Sign in with Hugging Face above first.")
        owners = _named_owners() or {os.environ.get("SPACE_AUTHOR_NAME", "")}
        return Person(user, user in owners, login=True)
    return Person(typed, owner=not space())


def visitor() -> str | None:
    """What identifies a visitor, the login or else the address; None for an owner."""
    try:
        who = person()
    except DataError:  # not signed in
        who = Person("", owner=False)
    if who.owner:
        return None
    return who.name or address()


def login() -> str:
    """The verified name of whoever asks; empty for people who have none."""
    try:
        who = person()
    except DataError:  # not signed in
        return ""
    return who.name if who.login else ""


def agent(request: Any) -> bool:
    """Whether this is an MCP request that carries the token in `STUDIO_MCP_TOKEN`."""
    token = os.environ.get("STUDIO_MCP_TOKEN", "")
    sent = str(request.headers.get("authorization") or "").removeprefix("Bearer ")
    path = str(getattr(request.url, "path", request.url))
    known = bool(token) and hmac.compare_digest(sent.encode(), token.encode())
    return known and path.startswith(MCP_PATH)


def serve_keys() -> dict[str, str]:
    """Key -> name of those who may ask at `/v1` (`STUDIO_SERVE_KEYS`: NAME:KEY, with commas)."""
    pairs = os.environ.get("STUDIO_SERVE_KEYS", "").split(",")
    split = [pair.strip().partition(":") for pair in pairs if pair.strip()]
    return {key: name.strip() for name, _, key in split}


def key_holder(request: Any) -> str | None:
    """Whose key a request at `/v1` carries; None for any other request."""
    if not str(getattr(request.url, "path", request.url)).startswith(SERVE_PATH):
        return None
    sent = str(request.headers.get("authorization") or "").removeprefix("Bearer ").encode()
    found = None
    for key, name in serve_keys().items():  # all of them: the time tells nothing
        if len(key) >= SHORTEST_KEY and hmac.compare_digest(sent, key.encode()):
            found = name
    return found


def agent_asks() -> bool:
    """Whether the current request is an agent's, over MCP."""
    request = compat.current_request()
    return request is not None and agent(request)


def space() -> str | None:
    """The Space this runs on, `owner/name`; None elsewhere."""
    return os.environ.get("SPACE_ID")


def hub_login() -> bool:
    """Whether this is a Space with sign-in (`hf_oauth: true` in its card)."""
    return space() is not None and "OAUTH_CLIENT_ID" in os.environ


def _named_owners() -> set[str]:
    named = os.environ.get("STUDIO_OWNERS", "").split(",")
    return {name.strip() for name in named if name.strip()}


def address() -> str:
    """Where the current request came from; a Space's proxy appends the address it saw."""
    request = compat.current_request()
    if request is None:
        return "nobody"
    forwarded = str(request.headers.get("x-forwarded-for") or "") if space() else ""
    client = getattr(request, "client", None)
    return forwarded.split(",")[-1].strip() or getattr(client, "host", "") or "somebody"
