"""Who is asking, and what they may do: owners everything, others compare and label.

Decided by where the app runs. With accounts (`--auth`) the name is the login's, whatever was typed,
and the owners are `STUDIO_OWNERS` (names with commas), by default the first login. On a Space the
name is the Hub's, and the owner its author by default; who is not signed in is a visitor, and where
a Space lets nobody sign in everybody is. Elsewhere the typed name counts and everybody is an owner.

`guard` in `components.ui.handlers` asks here before every handler, and each panel's server before
every question.
"""

from __future__ import annotations

import hmac
import os
from dataclasses import dataclass
from typing import Any

from components.ui.compat import current_app, current_request
from studio.core.errors import DataError

MCP_PATH = "/gradio_api/mcp"


@dataclass(frozen=True)
class Person:
    """The name that votes are kept under. `login` is whether the app knows it for certain."""

    name: str
    owner: bool
    login: bool = False

    def must_own(self, what: str) -> None:
        """`DataError` unless this is an owner; `what` is what was asked for."""
        if not self.owner:
            more = "Duplicate this Space to have your own." if space() else "Ask one of them."
            raise DataError(f"Only an owner of this studio may {what}. {more}")


def person(typed: str = "") -> Person:
    """Whoever sent the request being answered; raises `DataError` where a login is needed first."""
    request = current_request()
    if request is None:  # nobody asked: the app itself, or a test of a part of it
        return Person(typed, owner=True)
    if agent(request):
        return Person("agent", owner=True, login=True)
    accounts = getattr(current_app(), "auth", None)
    if isinstance(accounts, list) and accounts:
        user = _account(request)
        if user is None:
            raise DataError("Log in first: reload the page.")
        return Person(user, user in (_named_owners() or {str(accounts[0][0])}), login=True)
    if hub_login():
        user = _hub_user(request)
        if user is None:
            raise DataError("Sign in with Hugging Face above first.")
        owners = _named_owners() or {os.environ.get("SPACE_AUTHOR_NAME", "")}
        return Person(user, user in owners, login=True)
    return Person(typed, owner=not space())


def visitor() -> str | None:
    """What tells one visitor from another, None for an owner: the login, else the address."""
    try:
        who = person()
    except DataError:  # not signed in
        who = Person("", owner=False)
    if who.owner:
        return None
    return who.name or _address(current_request())


def agent(request: Any) -> bool:
    """Whether this is a request over MCP with the token that `STUDIO_MCP_TOKEN` asks for."""
    token = os.environ.get("STUDIO_MCP_TOKEN", "")
    said = str(request.headers.get("authorization") or "").removeprefix("Bearer ")
    path = str(getattr(request.url, "path", request.url))
    return MCP_PATH in path and bool(token) and hmac.compare_digest(said.encode(), token.encode())


def space() -> str | None:
    """The Space that this runs on, `owner/name`; None elsewhere."""
    return os.environ.get("SPACE_ID")


def hub_login() -> bool:
    """Whether this is a Space that lets people sign in (`hf_oauth: true` in its card)."""
    return space() is not None and "OAUTH_CLIENT_ID" in os.environ


def _named_owners() -> set[str]:
    named = os.environ.get("STUDIO_OWNERS", "").split(",")
    return {name.strip() for name in named if name.strip()}


def _account(request: Any) -> str | None:
    """The account behind a request: Gradio's own, or a panel's plain one with Gradio's cookie."""
    if getattr(request, "username", None):
        return str(request.username)
    app = getattr(request, "app", None)
    tokens, cookie = getattr(app, "tokens", {}), getattr(app, "cookie_id", "")
    cookies = request.cookies
    for kind in ("access-token", "access-token-unsecure"):
        if user := tokens.get(cookies.get(f"{kind}-{cookie}")):
            return str(user)
    return None


def _address(request: Any) -> str:
    """Where a request came from; a Space's proxy adds the address it saw at the end."""
    forwarded = str(request.headers.get("x-forwarded-for") or "") if space() else ""
    client = getattr(request, "client", None)
    return forwarded.split(",")[-1].strip() or getattr(client, "host", "") or "somebody"


def _hub_user(request: Any) -> str | None:
    """The Hub's name in the session that Gradio's sign-in keeps in a signed cookie."""
    plain = vars(request).get("request") or request  # Gradio's own request wraps the plain one
    session = plain.scope.get("session") or {}
    name = ((session.get("oauth_info") or {}).get("userinfo") or {}).get("preferred_username")
    return str(name) if name else None
