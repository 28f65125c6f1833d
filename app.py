"""Alignment Studio: data -> SFT -> compare -> label -> DPO -> compare again, on one page.

    python app.py                                  on this machine only, http://127.0.0.1:7860
    python app.py --host 0.0.0.0 --auth ada:secret for others too, behind a login
    STUDIO_HOME=/data/studio python app.py         where datasets, runs and votes are stored

The page is built and served before torch is imported: the engine loads the libraries in a thread of
its own, and the status strip says so until they are ready.
"""

from __future__ import annotations

import argparse
import faulthandler
import importlib.util
import logging
import logging.handlers
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import gradio as gr
import httpx
from starlette.middleware import Middleware

from components.calculator import tab as calculator_tab
from components.compare import tab as compare_tab
from components.data import tab as data_tab
from components.label import tab as label_tab
from components.models import tab as models_tab
from components.page import api, chat_endpoint, file_access, header, health, status_poll
from components.page.document import Document
from components.page.file_access import Gate
from components.page.gradio_scripts import GradioScripts
from components.page.origins import is_loopback
from components.page.strangers import Page
from components.page.tab_links import Handles, connect
from components.train import tab as train_tab
from components.ui import access, compat, theme
from components.ui.compat import Options, Update
from components.ui.handlers import QUIET, guard
from components.ui.logins import Logins
from components.ui.page_context import PageContext, Session
from components.ui.visitor_quota import Visits
from studio.core.errors import ConfigError, StudioError, WorkspaceError
from studio.generation import zerogpu
from studio.labels import feedback

if TYPE_CHECKING:
    from studio import Studio

TABS = (
    ("data", "Data", data_tab),
    ("calculator", "Calculator", calculator_tab),
    ("train", "Train", train_tab),
    ("compare", "Compare", compare_tab),
    ("label", "Label", label_tab),
    ("models", "Models", models_tab),
)
MAX_UPLOAD = "8gb"
SESSIONS = 400  # browsers whose state is kept; each costs a megabyte, and anybody can open one
GRACE = 8.0  # seconds from SIGTERM to the end, whatever is still at work


def build_app(studio: Studio, visitors: bool = False, mcp: str = "off") -> gr.Blocks:
    """The whole page over one engine, importing nothing heavy; launch it with `launch_options`.

    Args:
        visitors: people who are not owners may come; they start on Compare and see fewer tabs.
        mcp: "off", "read" (agents are listed only what changes nothing) or "write".
    """
    compat.lighten_sessions()
    with Page(
        title="Alignment Studio",
        analytics_enabled=False,
        fill_width=True,
        delete_cache=(3600, 7 * 86400),
    ) as app:
        visits = Visits(studio)
        api.build(
            studio, visits, mcp
        )  # first, so that no handler of the page takes its endpoint names
        session = gr.State(Session())
        top = header.build_top(status_poll.server_functions(studio))
        guide = header.build_guide()
        app.first_visit = lambda: not studio.runs.list()
        with gr.Tabs(selected="data", elem_id="tabs") as tabs:
            ctx = PageContext(studio, tabs, top.strip, session, visits)
            built, landings = {}, []
            for tab_id, label, module in TABS:
                # A form that another tab fills while opening it must be rendered before: what is
                # sent to widgets that are still being rendered is lost.
                early = tab_id in ("train", "calculator")
                with gr.Tab(label, id=tab_id, elem_id=f"tab-{tab_id}", render_children=early):
                    if tab_id == "data":
                        landings.append(header.build_landing())
                    built[tab_id] = module.build(studio, ctx)
        connect(app, ctx, top, (landings[0], guide), Handles(**built))
        if visitors:
            app.load(guard(lambda: begin(ctx), "everybody"), None, tabs, **QUIET)
    return app


def begin(ctx: PageContext) -> Update:
    """Where a visitor starts; an owner stays."""
    return ctx.go("compare") if access.visitor() is not None else gr.skip()


def launch_options(studio: Studio) -> Options:
    """Keyword arguments for `Blocks.launch`: the look, and what must never be served."""
    home = studio.workspace
    private = [home.datasets, home.runs, home.comparisons, home.uploads]
    files = [
        home.home / name
        for name in (
            *("votes.db", "votes.db-wal", "votes-copied.json", "studio.log"),
            feedback.FILE,
        )
    ]
    return {
        "theme": theme.StudioTheme(),
        "css_paths": theme.stylesheets(),
        "head": theme.scripts(),
        "footer_links": [],
        "run_history": False,
        "enable_monitoring": False,
        "show_error": True,
        "state_session_capacity": SESSIONS,
        "ssr_mode": False,
        "pwa": False,
        "max_file_size": os.environ.get("STUDIO_MAX_UPLOAD") or MAX_UPLOAD,
        "allowed_paths": [str(home.exports)],
        "blocked_paths": [str(path) for path in (*private, *files)],
        "app_kwargs": {
            "routes": [health.route(studio), *chat_endpoint.routes(studio)],
            "middleware": [
                Middleware(Gate, workspace=home),
                Middleware(Document),
                Middleware(GradioScripts),
            ],
            "lifespan": compat.without_gradios_cors,
        },
    }


# ---- starting -----------------------------------------------------------------------------------


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Flags over environment variables over defaults; a Space listens on all interfaces."""
    parser = argparse.ArgumentParser(
        prog="app.py",
        description="Alignment Studio: fine-tune and align models on your data.",
        epilog="STUDIO_HOME is where datasets, runs and votes are stored. STUDIO_AUTH replaces "
        "--auth and stays out of the process list (user:password, several separated by commas).",
    )
    default = "0.0.0.0" if access.space() else "127.0.0.1"
    host = os.environ.get("GRADIO_SERVER_NAME") or default
    parser.add_argument("--host", default=host, help="address to listen on (default %(default)s)")
    parser.add_argument("--port", type=int, help="port (default: the first free one from 7860)")
    parser.add_argument(
        "--auth", action="append", metavar="USER:PASSWORD", help="require a login; repeatable"
    )
    parser.add_argument("--share", action="store_true", help="open a public gradio.live link")
    parser.add_argument(
        "--mcp",
        choices=("off", "read", "write"),
        default=os.environ.get("STUDIO_MCP", "off"),
        help="offer the API to agents over MCP: read-only or all of it (default %(default)s)",
    )
    parser.add_argument("--open", action="store_true", help="open a browser once the page is up")
    chosen = parser.parse_args(arguments)
    chosen.share = chosen.share or os.environ.get("GRADIO_SHARE", "").lower() == "true"
    if not chosen.auth and os.environ.get("STUDIO_AUTH"):
        chosen.auth = os.environ["STUDIO_AUTH"].split(",")
    chosen.auth = [_login(pair) for pair in chosen.auth or []]
    return chosen


def _login(pair: str) -> tuple[str, str]:
    user, colon, password = pair.strip().partition(":")
    if not (user and colon and password):
        raise ConfigError("--auth takes USER:PASSWORD, for example --auth ada:correct-horse.")
    return user, password


def check_exposure(host: str, auth: Sequence[tuple[str, str]], share: bool) -> None:
    """Refuse to serve strangers: anything but loopback needs a login, except on a Space."""
    if auth or (access.space() and not share):
        return
    if share or not is_loopback(host):
        where = "--share opens a public link" if share else f"{host} can be reached by others"
        raise ConfigError(
            f"{where}, and whoever opens the page can train and read files on this machine: "
            "add --auth USER:PASSWORD, or keep --host 127.0.0.1 without --share."
        )


def check_mcp(mcp: str) -> None:
    """Refuse to serve agents without a token or without the mcp package."""
    if mcp not in ("off", "read", "write"):
        raise ConfigError(f"STUDIO_MCP is {mcp!r}; set it to off, read or write.")
    if mcp == "off":
        return
    if len(os.environ.get("STUDIO_MCP_TOKEN", "")) < 16:
        raise ConfigError("--mcp needs a token of at least 16 characters in STUDIO_MCP_TOKEN.")
    if importlib.util.find_spec("mcp") is None:
        raise ConfigError('--mcp needs a package that is not installed: pip install "mcp<2".')


def log_to_file(studio: Studio) -> None:
    """Write tracebacks to the workspace's studio.log; people see one sentence."""
    file = studio.workspace.home / "studio.log"
    try:
        handler = logging.handlers.RotatingFileHandler(
            file, maxBytes=2_000_000, backupCount=2, encoding="utf-8"
        )
    except OSError as error:
        raise WorkspaceError(
            f"{file} cannot be written: {error.strerror}. Set STUDIO_HOME to a folder that can."
        ) from error
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("studio")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)


def end(signum: int, frame: object) -> None:
    """Stop as Ctrl-C does; asked again, or `GRACE` seconds after SIGTERM, without waiting.

    A model's own template or tokenizer may not let its thread stop. What is on disk is whole at any
    moment; containers are killed ten seconds after SIGTERM.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if signum == signal.SIGTERM:  # a thread that needs no lock of the interpreter
        faulthandler.dump_traceback_later(GRACE, exit=True)
    raise KeyboardInterrupt


def bypass_proxy() -> None:
    """Reach this machine without a proxy: Gradio asks its own page whether it has started."""
    for name in ("no_proxy", "NO_PROXY"):
        named = [host for host in os.environ.get(name, "").split(",") if host.strip()]
        if "*" not in named:
            missing = [host for host in ("localhost", "127.0.0.1", "::1") if host not in named]
            os.environ[name] = ",".join([*named, *missing])


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve the page until it is stopped. Exit status: 2 for bad usage, 1 when it cannot start."""
    try:
        chosen = parse(arguments)
        check_exposure(chosen.host, chosen.auth, chosen.share)
        check_mcp(chosen.mcp)
        chat_endpoint.check()
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    try:
        return _serve(chosen)
    except StudioError as error:
        sys.stderr.write(f"{error}\n")
    except KeyboardInterrupt:
        sys.stderr.write("Stopped while it was starting; nothing was begun.\n")
    return 1


def _serve(chosen: argparse.Namespace) -> int:
    """Open the workspace and serve the page until it is stopped; the exit status."""
    from studio import Studio

    studio = Studio()
    log_to_file(studio)
    zerogpu.announce()
    if disk := studio.workspace.network_disk():
        sys.stderr.write(f"The votes are on {disk}. {label_tab.NETWORK_ADVICE}\n")
    try:
        for backup in filter(None, (studio.votes_backup, studio.run_backup)):
            backup.restore()  # before anybody can begin something in an empty workspace
    except StudioError as error:
        raise StudioError(f"The backup was not restored: {error}") from error
    os.environ.setdefault("GRADIO_TEMP_DIR", str(studio.workspace.cache / "page"))
    file_access.remove_torn_uploads(Path(os.environ["GRADIO_TEMP_DIR"]))
    app = build_app(studio, visitors=bool(chosen.auth or access.space()), mcp=chosen.mcp)
    bypass_proxy()
    try:
        _launch(app, studio, chosen)
    except (OSError, ValueError, httpx.HTTPError) as error:
        sys.stderr.write(
            f"The page did not start: {error or type(error).__name__}. If another program uses the "
            "port, choose one with --port; on a busy machine, start again.\n"
        )
        return 1
    studio.warm_up()  # after the page is up: importing torch would delay it by a second
    try:
        app.block_thread()
    except KeyboardInterrupt:  # before Gradio was waiting for it
        app.close()
    studio.close()
    return 0


def _launch(app: gr.Blocks, studio: Studio, chosen: argparse.Namespace) -> None:
    app.launch(
        server_name=chosen.host,
        server_port=chosen.port,
        auth=Logins(chosen.auth) if chosen.auth else None,
        share=chosen.share,
        inbrowser=chosen.open,
        prevent_thread_lock=True,
        mcp_server=chosen.mcp != "off",
        **launch_options(studio),
    )


if __name__ == "__main__":
    sys.exit(main())
