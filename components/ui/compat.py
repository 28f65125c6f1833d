"""Gradio's private names, all in one place; read in Gradio 6.31.

`tests/unit/components/test_compat.py` says what the page loses where one changes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import gradio as gr
from gradio.context import Context, LocalContext, get_render_context


def current_request() -> Any:
    """The request being answered; None where nobody asked (`LocalContext.request`)."""
    return LocalContext.request.get(None)


def current_app() -> gr.Blocks | None:
    """The app that answers the request (`LocalContext.blocks`)."""
    return LocalContext.blocks.get(None)


def bind_request(request: Any, app: gr.Blocks) -> None:
    """Make a request the current one, as Gradio does for its own routes."""
    LocalContext.request.set(request)
    LocalContext.blocks.set(app)


def page_being_built() -> gr.Blocks | None:
    """The page under construction; None where a tab is built alone (`Context.root_block`)."""
    return Context.root_block


def open_container() -> Any:
    """The container that components are being added to, such as the open `gr.Tab`."""
    return get_render_context()


@contextlib.contextmanager
def outside_containers() -> Iterator[None]:
    """Add components to the page itself rather than to the open container (`Context.block`)."""
    container, Context.block = Context.block, Context.root_block
    try:
        yield
    finally:
        Context.block = container


def event_data(event: gr.EventData) -> Any:
    """What a script sent with a custom event (`EventData._data`)."""
    return event._data
