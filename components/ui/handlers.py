"""What every tab uses: the shell it is built into, errors as sentences, numbers for people, markup.

Everything that returns markup escapes what it is given: text from datasets and models is never
trusted, and `gr.HTML` does not sanitise.
"""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable
from typing import Any, Literal, TypeVar

import gradio as gr

from components.ui import access
from components.ui.compat import page_being_built
from components.ui.html import esc
from studio.core.errors import Cancelled, StudioError

log = logging.getLogger("studio.page")
Function = TypeVar("Function", bound=Callable[..., Any])


PRIVATE: dict[str, Any] = {"api_visibility": "private"}
"""Keyword arguments of every internal event: not part of the app's public API."""

QUIET: dict[str, Any] = {**PRIVATE, "show_progress": "hidden", "show_progress_on": []}
"""The same for events that must never show Gradio's loading overlay: polling, paging, edits.

Named on no component, for hidden overlays cost as much: with every event the page's frontend looks
up each component that any event could ever show one on.
"""


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
    if audience == "everybody" or access.visitor() is None:
        return True
    if audience == "owners":
        access.person().must_own("do this")
    return False


# ---- numbers for people -------------------------------------------------------------------------


def page_loads() -> list[Any]:
    """The event of a page that has come, as a list; empty where a tab is built outside a page."""
    page = page_being_built()
    return [] if page is None else [page.load]


# ---- markup -------------------------------------------------------------------------------------
