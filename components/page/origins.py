"""Whether a request may come from where it comes: other web pages must not drive the studio.

A browser sends any page's requests here, with this person's cookies, and tells where they come from
in `Origin` and `Sec-Fetch-Site`, which a page cannot set. Programs such as curl and gradio_client
send neither. Gradio reads JSON whatever its content type says, so no preflight stands before it.
See https://web.dev/articles/fetch-metadata.
"""

from __future__ import annotations

import ipaddress
import os
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from components.ui import access

_FRAMED_BY = "https://huggingface.co"
"""What shows a Space's page inside its own."""


def is_loopback(host: str) -> bool:
    """Whether a host name or address reaches this machine only."""
    name = host.strip("[]").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def foreign(method: str, headers: Headers) -> str:
    """Why a request is refused that another page sends; empty for this page's own and programs'.

    Another page may link here and, on the Hub, frame this page: navigation by GET passes.
    """
    site, origin = headers.get("sec-fetch-site", ""), headers.get("origin", "")
    if site in ("same-origin", "none") or (not site and not origin):
        return ""
    navigated = headers.get("sec-fetch-mode") == "navigate"
    embedded = headers.get("sec-fetch-dest") in ("object", "embed")
    if method in ("GET", "HEAD") and navigated and not embedded:
        return ""
    if origin and (_shared(origin) or _place(origin) in _own(headers)):
        return ""
    return (
        f"This request comes from another page ({origin or site}). Where that page is your own, "
        "name its origin in STUDIO_ORIGINS, such as https://studio.example."
    )


def unknown_host(headers: Headers) -> str:
    """Why a request to a studio without login is refused: its Host is no name of this machine.

    A foreign page whose name is made to resolve to 127.0.0.1 (DNS rebinding) counts as its own
    origin; only Host tells.
    """
    name, _ = _place("//" + headers.get("host", ""))
    if is_loopback(name) or name in _listed("STUDIO_HOSTS"):
        return ""
    return (
        f"A studio without a login answers to localhost only, not to {name or 'an empty Host'}. "
        "Add --auth USER:PASSWORD, or list the name in STUDIO_HOSTS."
    )


def framed_by() -> str:
    """The policy that says which pages may show this one in a frame (clicks could be stolen)."""
    space = [_FRAMED_BY] if access.space() else []
    return " ".join(["frame-ancestors 'self'", *space, *_listed("STUDIO_ORIGINS")])


def cors(headers: Headers) -> dict[str, str]:
    """The headers that let an origin of `STUDIO_ORIGINS` read the answer; none for others."""
    origin = headers.get("origin", "")
    if not _shared(origin):
        return {}
    return {
        "access-control-allow-origin": origin,
        "access-control-allow-credentials": "true",
        "access-control-allow-methods": "GET, HEAD, POST",
        "access-control-allow-headers": headers.get("access-control-request-headers", ""),
        "vary": "Origin",
    }


def _shared(origin: str) -> bool:
    return bool(origin) and origin.lower().rstrip("/") in _listed("STUDIO_ORIGINS")


def _listed(setting: str) -> list[str]:
    named = os.environ.get(setting, "").split(",")
    return [name.strip().lower().rstrip("/") for name in named if name.strip()]


def _own(headers: Headers) -> list[tuple[str, int | None]]:
    """Where this page is, by the name it was asked under: Host, or what a proxy was asked for.

    A page can send `X-Forwarded-Host` only after a preflight, which is not granted to strangers.
    """
    asked = [headers.get("host", ""), headers.get("x-forwarded-host", "").split(",")[0]]
    asked.append(os.environ.get("SPACE_HOST", "") if access.space() else "")
    return [_place("//" + host.strip()) for host in asked if host.strip()]


def _place(address: str) -> tuple[str, int | None]:
    """Host and port; None for the scheme's own, which a proxy that ends TLS may change."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return "", None
    return (parts.hostname or "").lower(), None if port in (80, 443) else port
