"""What the panel of the run in view requests from the server, which sends only what is new.

Gradio exposes a panel's server functions to whoever can open the page (behind its login, if any)
and calls them with whatever was posted, so the request is validated. The page says what it has; the
reply holds the rest. The server remembers nothing about a page.
"""

from __future__ import annotations

import time
import zlib
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, Field

from components.train import chart_specs, encoder_panel_html, run_figures_html, run_panel_html
from components.train.run_history import Cursor, Histories, History
from components.ui import access
from components.ui.compat import Reply, ServerFunction
from components.ui.handlers import checked, sentence
from studio.core.errors import StudioError
from studio.runs.store import Run

if TYPE_CHECKING:
    from studio import Studio

MAX_OVERLAID = 5
"""Runs overlaid on the one in view at most."""
_LINES = 200


class Known(BaseModel):
    """How far the page has read a run's two tables."""

    train: Cursor | None = None
    held_out: Cursor | None = None


class LogRequest(BaseModel):
    """Whether the log is open, the words to search for, and the last event the page has."""

    open: bool = False
    query: str = ""
    at: Annotated[int, Field(ge=0)] = 0


class FeedRequest(BaseModel):
    """The run in view, the runs overlaid on it, and what the page already has of them.

    `parts` are checksums by part's name.
    """

    run: str = ""
    overlay: list[str] = []
    have: dict[str, Known] = {}
    parts: dict[str, str] = {}
    log: LogRequest = LogRequest()


def server_functions(studio: Studio, histories: Histories) -> list[ServerFunction]:
    """The functions to hand to `gr.HTML(server_functions=...)`."""

    def train_feed(sent: object) -> Reply:
        try:
            if access.visitor() is not None:
                return {}
            return feed(studio, histories, checked(FeedRequest, sent))
        except Exception as error:  # `sentence` logs whatever is not a StudioError
            return {"error": sentence(error)}

    return [train_feed]


def feed(studio: Studio, histories: Histories, request: FeedRequest) -> Reply:
    """What a page lacks of the run in view and of those overlaid on it."""
    wanted = dict.fromkeys([request.run, *request.overlay[:MAX_OVERLAID]])
    runs = _known(studio, list(wanted))
    if not runs:
        return {}
    read = {run.id: histories.of(run) for run in runs}
    tables = {run.id: _news(read[run.id], request.have.get(run.id, Known())) for run in runs}
    reply: Reply = {"runs": {identifier: news for identifier, news in tables.items() if news}}
    first = runs[0]
    measured = {key for history in read.values() for key in history.train.keys}
    parts = {
        "plan": chart_specs.plan(measured),
        "names": [
            {"id": run.id, "name": run.name, "live": run.live, "datasets": _datasets(run)}
            for run in runs
        ],
        "health": run_panel_html.health(read[first.id].health.findings()),
        "figures": run_figures_html.figures(first, read[first.id]),
        "samples": encoder_panel_html.found(read[first.id].retrieval, read[first.id].mined)
        or run_panel_html.samples({run.name: read[run.id].samples for run in runs}),
        "compare": run_panel_html.differences(runs) or run_panel_html.datasets(first),
    }
    for name, part in parts.items():
        mark = f"{zlib.crc32(repr(part).encode()):x}"
        if request.parts.get(name) != mark:
            reply.setdefault("parts", {})[name] = {"mark": mark, "body": part}
    if request.log.open:
        reply["log"] = _log(read[first.id], request.log)
    return {key: value for key, value in reply.items() if value}


def _datasets(run: Run) -> list[dict[str, str]]:
    """The datasets of a mixture: each one's name, and its name in metrics."""
    return [
        {"name": str(one.get("name")), "metrics": str(one.get("metrics"))}
        for one in run.data.get("datasets") or []
    ]


def _known(studio: Studio, wanted: list[str]) -> list[Run]:
    """The requested runs that still exist, in order; none where the run in view is gone."""
    found = []
    for identifier in wanted:
        try:
            found.append(studio.runs.get(identifier))
        except StudioError:
            if not found:
                return []
    return found


def _news(history: History, have: Known) -> Reply:
    news: Reply = {}
    for name in ("train", "held_out"):
        table = getattr(history, name).since(getattr(have, name))
        if table:
            news[name] = table
    if news and history.steps_per_epoch:
        news["epoch"] = round(history.steps_per_epoch, 3)
    if history.behind:
        news["behind"] = round(history.behind, 2)
    return news


def _log(history: History, request: LogRequest) -> Reply:
    """New lines, oldest first, as [clock, text]; only those with every word of the query."""
    known = request.at if request.at <= history.version else 0
    if known == history.version:
        return {}
    words = request.query.lower().split()
    lines = []
    for _, event in history.lines(known):
        text = run_panel_html.event_text(event)
        if all(word in text.lower() for word in words):
            clock = time.strftime("%H:%M:%S", time.localtime(event.get("time", 0)))
            lines.append([clock, text])
    return {
        "at": history.version,
        "fresh": not known,
        "lines": lines[-_LINES:],
        "older": max(0, len(lines) - _LINES),
    }
