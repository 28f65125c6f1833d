"""What every event handler of the page needs: who may trigger it, and errors as one sentence."""

from __future__ import annotations

import errno
import functools
import inspect
import logging
from collections.abc import Callable
from typing import Any, Literal, TypeVar

import gradio as gr
from gradio.events import Dependency
from pydantic import BaseModel, ValidationError

from components.ui import access
from components.ui.compat import Options, page_being_built
from components.ui.html import esc
from studio.core.errors import Cancelled, ConfigError, StudioError

log = logging.getLogger("studio.page")
Function = TypeVar("Function", bound=Callable[..., Any])
Request = TypeVar("Request", bound=BaseModel)


PRIVATE: Options = {"api_visibility": "private"}
"""Keyword arguments of every internal event: not part of the app's public API."""

QUIET: Options = {**PRIVATE, "show_progress": "hidden", "show_progress_on": []}
"""The same for events that must never show Gradio's loading overlay: polling, paging, edits.

`show_progress_on` is empty because a hidden overlay costs as much as a visible one: on every event
the frontend looks up each component that any event could ever show one on.
"""


# ---- errors -------------------------------------------------------------------------------------

FULL = "The disk of this studio is full: free some space, then do it again."


def sentence(error: BaseException) -> str:
    """What to tell a person about an error; anything but a `StudioError` is logged in full."""
    if isinstance(error, StudioError):
        return str(error)
    if isinstance(error, ValueError) and "null byte" in str(error):
        return "A name holds a NUL character, which no file has. Type it again."
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return FULL
    log.error("Unexpected error in the page", exc_info=error)
    return (
        f"Something went wrong inside the studio ({type(error).__name__}). "
        "The details are in studio.log in the workspace folder."
    )


def _toast(error: BaseException) -> gr.Error:
    title = "Stopped" if isinstance(error, Cancelled) else "Not done"
    return gr.Error(esc(sentence(error)), title=title, print_exception=False)


def checked(model: type[Request], sent: object) -> Request:
    """What a page's script sent, validated; `ConfigError` names the first field that is wrong."""
    try:
        return model.model_validate(sent)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "the request"
        raise ConfigError(
            f"The page sent a wrong value for {field} ({first['msg'].lower()}); reload it."
        ) from None


# ---- who may ------------------------------------------------------------------------------------

Audience = Literal["owners", "everybody", "quietly"]
"""Who may trigger a handler: owners; everybody; or owners, and for visitors nothing happens, for
what the page does by itself."""


def guard(function: Function, audience: Audience = "owners") -> Function:
    """Wrap a page's handler: check who is asking, and turn an error into a toast of one sentence.

    Every handler of the app is wrapped, so none can be triggered by a hand-made request that the
    page would not send. A generator that ends without yielding leaves the page as it is, where
    Gradio would clear every output. Errors that belong beside a field are caught by the handler
    itself and shown with `notice("error", sentence(error))`.
    """
    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def stream(*args: Any, **kwargs: Any) -> Any:
            yielded = False
            try:
                if _allowed(audience):
                    for update in function(*args, **kwargs):
                        yielded = True
                        yield update
                if not yielded:
                    yield gr.skip()
            except gr.Error:
                raise
            except Exception as error:
                raise _toast(error) from None

        guarded = stream
    else:

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            try:
                return function(*args, **kwargs) if _allowed(audience) else gr.skip()
            except gr.Error:
                raise
            except Exception as error:
                raise _toast(error) from None

        guarded = call
    guarded.audience = audience  # type: ignore[attr-defined]
    return guarded  # type: ignore[return-value]


def _allowed(audience: Audience) -> bool:
    """Whether whoever asks may; raises where they must be told that they may not."""
    if audience == "everybody" or access.visitor() is None:
        return True
    if audience == "owners":
        access.person().must_own("do this")
    return False


def page_loads() -> list[Callable[..., Dependency]]:
    """The page's load event, as a list; empty where a tab is built outside a page."""
    page = page_being_built()
    return [] if page is None else [page.load]
