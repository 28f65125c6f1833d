"""`app`: becomes `python app.py`, which owns the page and its flags."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from studio.core.errors import StudioError
from studio.core.workspace import ROOT


def app(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on; default: this machine only.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Port; default: the first free one from 7860.", min=0)
    ] = None,
    auth: Annotated[
        list[str] | None, typer.Option(metavar="USER:PASSWORD", help="Ask for a login; repeatable.")
    ] = None,
    share: Annotated[bool, typer.Option("--share", help="Open a public gradio.live link.")] = False,
    browser: Annotated[
        bool, typer.Option("--open", help="Open a browser once the page is up.")
    ] = False,
) -> None:
    """Open the studio in a browser.

    The same page and the same flags as `python app.py`.
    """
    flags = ["--host", host] if host is not None else []
    flags += ["--port", str(port)] if port is not None else []
    for login in auth or []:
        flags += ["--auth", login]
    flags += ["--share"] if share else []
    flags += ["--open"] if browser else []
    page = ROOT / "app.py"
    if not page.is_file():
        raise StudioError(f"{page} is missing; run the studio from a complete checkout.")
    os.execv(sys.executable, [sys.executable, str(page), *flags])
