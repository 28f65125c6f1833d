"""What the panel of the run in view may ask of the server, and what it is told: only what is new.

Gradio exposes a panel's server functions to whoever can open the page (behind its login, where
there is one) and runs them with whatever was posted, so everything in the question is checked.
The page says what it holds; the answer holds the rest. Nothing is remembered here for a page.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from components.train import chart_specs, run_panel_html
from components.train.run_history import Histories, History
from components.ui import access
from components.ui.handlers import sentence
from studio.core.errors import StudioError
from studio.runs.store import Run

if TYPE_CHECKING:
    from studio import Studio

OVERLAID = 5
"""Runs laid over the one in view at most."""
_LINES = 200
Request = Mapping[str, Any]
Response = dict[str, Any]


def server_functions(studio: Studio, histories: Histories) -> list[Callable[[Any], Response]]:
    """The functions to hand to `gr.HTML(server_functions=...)`."""

    def train_feed(ask: Any) -> Response:
        try:
            if access.visitor() is not None:
                return {}
            return feed(studio, histories, ask if isinstance(ask, Mapping) else {})
        except Exception as error:  # logged by `sentence` unless it is one of ours
            return {"error": sentence(error)}

    return [train_feed]


def feed(studio: Studio, histories: Histories, ask: Request) -> Response:
    """What a page lacks of the run in view and of those laid over it.

    Args:
        ask: `{"run", "overlay": [ids], "have": {id: {"train": cursor, "held_out": cursor}},
            "parts": {name: mark}, "log": {"open", "query", "at"} }`, all optional but `run`.
    """
    wanted = [str(ask.get("run") or ""), *_texts(ask.get("overlay"))[:OVERLAID]]
    runs = _known(studio, list(dict.fromkeys(wanted)))
    if not runs:
        return {}
    have = _mapping(ask.get("have"))
    told = {run.id: histories.of(run) for run in runs}
    reply: Response = {"runs": {}}
    for run in runs:
        news = _news(run, told[run.id], _mapping(have.get(run.id)))
        if news:
            reply["runs"][run.id] = news
    first = runs[0]
    measured = {key for history in told.values() for key in history.train.keys}
    parts = {
        "plan": chart_specs.plan(measured),
        "names": [{"id": run.id, "name": run.name, "live": run.live} for run in runs],
        "health": run_panel_html.health(told[first.id].health.findings()),
        "figures": run_panel_html.figures(first, told[first.id]),
        "samples": run_panel_html.samples({run.name: told[run.id].samples for run in runs}),
        "compare": run_panel_html.differences(runs),
    }
    marks = _mapping(ask.get("parts"))
    for name, part in parts.items():
        mark = _mark(part)
        if marks.get(name) != mark:
            reply.setdefault("parts", {})[name] = {"mark": mark, "body": part}
    log = _mapping(ask.get("log"))
    if log.get("open"):
        lines = _log(told[first.id], str(log.get("query") or ""), log.get("at"))
        if lines:
            reply["log"] = lines
    return {key: value for key, value in reply.items() if value}


def _known(studio: Studio, wanted: list[str]) -> list[Run]:
    """The runs asked for that are still there, in the order asked for."""
    found = []
    for identifier in wanted:
        try:
            found.append(studio.runs.get(identifier))
        except StudioError:
            if not found:
                return []  # without the run in view there is nothing to lay others over
    return found


def _news(run: Run, history: History, have: Request) -> Response:
    news: Response = {}
    for name in ("train", "held_out"):
        table = getattr(history, name).since(have.get(name))
        if table:
            news[name] = table
    if news and history.steps_per_epoch:
        news["epoch"] = round(history.steps_per_epoch, 3)
    if history.behind:
        news["behind"] = round(history.behind, 2)
    return news


def _log(history: History, query: str, at: Any) -> Response:
    """New lines, oldest first: [clock, text]; only those with every word of the query."""
    known = at if isinstance(at, int) and 0 <= at <= history.version else 0
    words = query.lower().split()
    lines = []
    for _, event in history.lines(known):
        text = run_panel_html.event_text(event)
        if all(word in text.lower() for word in words):
            clock = time.strftime("%H:%M:%S", time.localtime(event.get("time", 0)))
            lines.append([clock, text])
    if known == history.version:
        return {}
    return {
        "at": history.version,
        "fresh": not known,
        "lines": lines[-_LINES:],
        "older": max(0, len(lines) - _LINES),
    }


def _mark(part: Any) -> str:
    return f"{zlib.crc32(repr(part).encode()):x}"


def _mapping(value: Any) -> Request:
    return value if isinstance(value, Mapping) else {}


def _texts(value: Any) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list | tuple) else []
