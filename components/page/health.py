"""`/healthz`: whether the studio can do its work, for containers and load balancers.

It names parts and not paths, so that everybody may ask: 200 where all of them work, else 503.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from studio.core.errors import StudioError
from studio.core.workspace import RESERVE

if TYPE_CHECKING:
    from studio import Studio

PATH = "/healthz"


def health(studio: Studio) -> dict[str, str]:
    """`ok`, or what is wrong, for the database of votes, the worker and the disk."""
    return {"database": _database(studio), "worker": _worker(studio), "disk": _disk(studio)}


def route(studio: Studio) -> Route:
    """The route, for an app of Starlette or FastAPI."""

    async def answer(request: Request) -> JSONResponse:
        parts = await run_in_threadpool(health, studio)
        well = set(parts.values()) == {"ok"}
        return JSONResponse({"ok": well, **parts}, status_code=200 if well else 503)

    return Route(PATH, answer)


def _database(studio: Studio) -> str:
    try:
        studio.labels.newest()
    except StudioError:
        return "the votes database cannot be used"
    return "ok"


def _worker(studio: Studio) -> str:
    return "ok" if studio.worker.alive() else "its thread has ended; restart the studio"


def _disk(studio: Studio) -> str:
    try:
        return "ok" if studio.workspace.free_bytes() >= RESERVE else "the disk is nearly full"
    except OSError:
        return "the workspace cannot be reached"
