"""Gradio's private names: each is there, and does what the page uses it for."""

from __future__ import annotations

from importlib.metadata import version
from types import SimpleNamespace

import gradio as gr
from gradio import context

from components.ui import compat

READ_IN = "6.31"


def broken(name: str, use: str) -> str:
    return (
        f"Gradio {version('gradio')} differs from {READ_IN}, which the page was written against: "
        f"{name} is gone or works otherwise, so that {use}. Change components/ui/compat.py."
    )


def test_the_names_are_there():
    for owner, name, use in (
        (context.LocalContext, "request", "nobody knows who sent a request"),
        (context.LocalContext, "blocks", "logins are not asked for"),
        (context.Context, "root_block", "tabs cannot load with the page"),
        (context.Context, "block", "the Label tab's memory is read too late"),
        (context, "get_render_context", "tabs do not find themselves"),
    ):
        assert hasattr(owner, name), broken(name, use)


def test_a_bound_request_is_the_current_one():
    assert compat.current_request() is None
    assert compat.current_app() is None
    app = SimpleNamespace(auth=None)
    context_before = (context.LocalContext.request, context.LocalContext.blocks)
    tokens = [variable.set(None) for variable in context_before]
    try:
        compat.bind_request("request", app)
        assert compat.current_request() == "request", broken("LocalContext", "roles are unknown")
        assert compat.current_app() is app, broken("LocalContext", "logins are unknown")
    finally:
        for variable, token in zip(context_before, tokens, strict=True):
            variable.reset(token)


def test_components_can_be_added_outside_the_open_tab():
    assert compat.page_being_built() is None
    with gr.Blocks() as page, gr.Tabs(), gr.Tab("one") as tab:
        assert compat.page_being_built() is page, broken("Context.root_block", "tabs cannot load")
        assert compat.open_container() is tab, broken("get_render_context", "tabs are not found")
        with compat.outside_containers():
            outside = gr.State(None)
        inside = gr.State(None)
    assert outside.parent is page, broken("Context.block", "the Label tab's memory comes too late")
    assert inside.parent is tab


def test_an_event_carries_what_the_script_sent():
    event = gr.EventData(None, {"go": "train"})
    assert compat.event_data(event) == {"go": "train"}, broken("EventData._data", "clicks are lost")
