"""What every tab uses: the shell it is built into, errors as sentences, numbers for people, markup.

Everything that returns markup escapes what it is given: text from datasets and models is never
trusted, and `gr.HTML` does not sanitise.
"""

from __future__ import annotations

import functools
import html
import inspect
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import gradio as gr
from gradio.context import Context

from components import people
from studio.copies import EVERY
from studio.errors import Cancelled, StudioError

if TYPE_CHECKING:
    from components.visits import Visits
    from studio import Studio
    from studio.copies import Copies

log = logging.getLogger("studio.page")
Function = TypeVar("Function", bound=Callable[..., Any])
Kind = Literal["info", "good", "warn", "error"]

DOT = " \N{MIDDLE DOT} "
"""Between the facts of one line."""

PRIVATE: dict[str, Any] = {"api_visibility": "private"}
"""Keyword arguments of every internal event: not part of the app's public API."""

QUIET: dict[str, Any] = {**PRIVATE, "show_progress": "hidden", "show_progress_on": []}
"""The same for events that must never show Gradio's loading overlay: polling, paging, edits.

Named on no component, for hidden overlays cost as much: with every event the page's frontend looks
up each component that any event could ever show one on.
"""


@dataclass(frozen=True)
class Session:
    """What one browser is looking at. Models, runs and votes live in the engine, never here."""

    run_id: str | None = None


@dataclass(frozen=True)
class Shell:
    """What a tab's builder is given beside the engine."""

    studio: Studio
    tabs: gr.Tabs
    pulse: gr.HTML
    """Its `change` says that a run, a dataset or a library came, went or changed its state; its
    `tick` that runs moved, each second. Both come once at first, neither while nothing changes."""
    session: gr.State
    """Holds a `Session`; change it with `dataclasses.replace`."""
    visits: Visits
    """Answers the page's questions to the model, and counts those of visitors."""

    def go(self, tab_id: str) -> gr.Tabs:
        """The update that brings a tab to the front (an output bound to `shell.tabs`)."""
        return gr.Tabs(selected=tab_id)


# ---- errors -------------------------------------------------------------------------------------


def sentence(error: BaseException) -> str:
    """What to tell a person about an error; anything not ours is logged with its traceback."""
    if isinstance(error, StudioError):
        return str(error)
    log.error("Unexpected error in the page", exc_info=error)
    return (
        f"Something went wrong inside the studio ({type(error).__name__}). "
        "The details are in studio.log in the workspace folder."
    )


def _shown(error: BaseException) -> gr.Error:
    title = "Stopped" if isinstance(error, Cancelled) else "Not done"
    return gr.Error(esc(sentence(error)), title=title, print_exception=False)


Audience = Literal["owners", "everybody", "quietly"]
"""Who may set a handler off: its owners; everybody; or its owners, and for others nothing happens,
which is for what the page does by itself."""


def guard(function: Function, audience: Audience = "owners") -> Function:
    """Wrap a page's handler: it asks who is there, and an error becomes a toast with one sentence.

    Every handler of the app goes through here, so none can be set off by a request made by hand
    that the page would not have made. A generator that ends without a word leaves the page as it
    is: Gradio would empty every output. Errors that belong beside a field are caught by the handler
    itself and shown with `notice("error", sentence(error))`.
    """
    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def stream(*args: Any, **kwargs: Any) -> Any:
            said = False
            try:
                if _welcome(audience):
                    for update in function(*args, **kwargs):
                        said = True
                        yield update
                if not said:
                    yield gr.skip()
            except gr.Error:
                raise
            except Exception as error:
                raise _shown(error) from None

        guarded = stream
    else:

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            try:
                return function(*args, **kwargs) if _welcome(audience) else gr.skip()
            except gr.Error:
                raise
            except Exception as error:
                raise _shown(error) from None

        guarded = call
    guarded.audience = audience  # type: ignore[attr-defined]
    return guarded  # type: ignore[return-value]


def _welcome(audience: Audience) -> bool:
    """Whether whoever asks may; raises where that has to be said."""
    if audience == "everybody" or people.visitor() is None:
        return True
    if audience == "owners":
        people.person().must_own("do this")
    return False


# ---- numbers for people -------------------------------------------------------------------------


def page_loads() -> list[Any]:
    """The event of a page that has come, as a list; empty where a tab is built outside a page."""
    return [] if Context.root_block is None else [Context.root_block.load]


def thousands(number: float) -> str:
    """`1085` -> `1,085`."""
    return f"{number:,.0f}"


def compact(number: float) -> str:
    """`1_534_976` -> `1.53 M`: three figures and a scale."""
    for size, suffix in ((1e12, " T"), (1e9, " B"), (1e6, " M"), (1e3, " k")):
        if abs(number) >= size * 0.9995:
            return f"{_three_figures(number / size)}{suffix}"
    return f"{number:g}" if abs(number) < 10 else f"{number:.0f}"


def _three_figures(value: float) -> str:
    digits = 2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0
    return f"{value:.{digits}f}"


def bytes_text(size: float) -> str:
    """`12_025_908_429` -> `12.0 GB` (in steps of 1,000, as cards and files are named)."""
    units = ["B", "KB", "MB", "GB", "TB"]
    value, unit = float(size), units.pop(0)
    while units and abs(value) >= 999.5:
        value, unit = value / 1000, units.pop(0)
    return f"{value:.0f} {unit}" if unit in ("B", "KB") or value >= 99.5 else f"{value:.1f} {unit}"


def duration_text(seconds: float | None) -> str:
    """`41` -> `0:41`, `3000` -> `50 min`, `8000` -> `2 h 13 min`; not known -> a dash."""
    if seconds is None or seconds != seconds or seconds < 0:
        return "\N{EN DASH}"
    whole = round(seconds)
    if whole < 600:
        return f"{whole // 60}:{whole % 60:02d}"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{hours // 24} days"


def left_text(seconds: float | None) -> str:
    """`41` -> `0:41 left`; nothing when it is not known."""
    return "" if seconds is None else f"{duration_text(seconds)} left"


def ago_text(then: float | None, now: float | None = None) -> str:
    """`just now`, `12 s ago`, `4 min ago`, `3 h ago`, `2 days ago` for an epoch time."""
    if then is None:
        return ""
    seconds = max(0.0, (time.time() if now is None else now) - then)
    if seconds < 2:
        return "just now"
    for size, unit in ((86400, "day"), (3600, "h"), (60, "min"), (1, "s")):
        if seconds >= size:
            count = int(seconds // size)
            plural = "s" if unit == "day" and count > 1 else ""
            return f"{count} {unit}{plural} ago"
    return "just now"


def copy_age(copies: Copies) -> dict[str, str]:
    """How old the last safe copy is, as `kind` (empty or warn), `text` and what `more` there is."""
    newest, error = copies.newest, copies.error
    if newest is None:
        return {"kind": "warn", "text": "no safe copy yet", "more": error}
    stale = bool(error) or time.time() - newest > 3 * EVERY
    return {"kind": "warn" if stale else "", "text": f"copied {ago_text(newest)}", "more": error}


def plural(count: int, one: str, many: str | None = None) -> str:
    """`1 row`, `1,085 rows`."""
    return f"{thousands(count)} {one if count == 1 else many or one + 's'}"


# ---- markup -------------------------------------------------------------------------------------


def esc(text: object) -> str:
    """Text from anywhere, safe inside markup and attributes; None is nothing."""
    return "" if text is None else html.escape(str(text), quote=True)


def empty_state(title: str, body: str, hint: str = "") -> str:
    """What a place is for while nothing is in it, and the next step."""
    more = f'<p class="empty-hint">{esc(hint)}</p>' if hint else ""
    return f'<div class="empty"><h3>{esc(title)}</h3><p>{esc(body)}</p>{more}</div>'


def notice(kind: Kind, text: str, detail: str = "") -> str:
    """One sentence in place, beside what it concerns; `""` gives nothing at all."""
    if not text:
        return ""
    role = "alert" if kind == "error" else "status"
    more = f'<span class="notice-detail">{esc(detail)}</span>' if detail else ""
    return f'<div class="notice notice-{kind}" role="{role}"><span>{esc(text)}</span>{more}</div>'


def chips(items: Iterable[str | tuple[str, ...]]) -> str:
    """A row of small facts: text, or (text, class), or (text, class, exact value on hover).

    Classes with a meaning: base, tuned, chosen, rejected, good, warn, danger, quiet, strong.
    """
    parts = []
    for item in items:
        text, kind, title = (item, "", "") if isinstance(item, str) else (*item, "")[:3]
        if not text:
            continue
        hover = f' title="{esc(title)}"' if title else ""
        style = f"chip chip-{esc(kind)}" if kind else "chip"
        parts.append(f'<span class="{style}"{hover}>{esc(text)}</span>')
    return f'<div class="chips">{"".join(parts)}</div>' if parts else ""


def section(title: str, hint: str = "") -> str:
    """A small heading inside a column, with at most one quiet line beside it."""
    more = f'<span class="section-hint">{esc(hint)}</span>' if hint else ""
    return f'<div class="section"><h3>{esc(title)}</h3>{more}</div>'


def progress_bar(done: float, total: float | None, text: str) -> str:
    """Work under way: a bar when the end is known, a moving stripe when it is not."""
    known = bool(total)
    share = min(1.0, max(0.0, done / total)) if total else 0.0
    style = f' style="width:{share * 100:.1f}%"' if known else ""
    kind = "bar" if known else "bar bar-unknown"
    return (
        f'<div class="progress" role="status"><div class="{kind}"><i{style}></i></div>'
        f"<span>{esc(text)}</span></div>"
    )


def key_hint(keys: Iterable[tuple[str, str]]) -> str:
    """Keyboard shortcuts as a quiet line: (key, what it does)."""
    parts = (f"<span><kbd>{esc(key)}</kbd> {esc(what)}</span>" for key, what in keys)
    return f'<div class="keys">{"".join(parts)}</div>'
