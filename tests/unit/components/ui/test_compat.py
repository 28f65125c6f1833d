"""Gradio's private names: each is there, and does what the page uses it for."""

from __future__ import annotations

import asyncio
import json
import sys
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from gradio import context, state_holder

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
    assert compat.current_app() is None and compat.logins() == []
    app = SimpleNamespace(auth=[("ada", "secret")])
    context_before = (context.LocalContext.request, context.LocalContext.blocks)
    tokens = [variable.set(None) for variable in context_before]
    try:
        compat.bind_request("request", app)
        assert compat.current_request() == "request", broken("LocalContext", "roles are unknown")
        assert compat.current_app() is app, broken("LocalContext", "logins are unknown")
        assert compat.logins() == [("ada", "secret")]
    finally:
        for variable, token in zip(context_before, tokens, strict=True):
            variable.reset(token)


def test_a_session_keeps_what_was_changed_in_it_and_no_copy_of_the_page():
    compat.lighten_sessions()
    stock = compat.LightSession.__base__
    modules = [one for name, one in sys.modules.items() if name.startswith("gradio")]
    heavy = [one.__name__ for one in modules if vars(one).get("SessionState") is stock]
    assert not heavy, broken("SessionState", f"{heavy} still copy the page for each session")
    with gr.Blocks() as page:
        box, kept = gr.Textbox("first"), gr.State([])
        box.submit(lambda: (gr.update(label="changed"), [1]), None, [box, kept])
    holder = state_holder.StateHolder()
    page.state_session_capacity = 3
    holder.set_blocks(page)
    session, other = holder["one"], holder["two"]
    assert type(session) is compat.LightSession, broken("SessionState", "sessions are 2 MB each")
    handler = next(iter(page.fns.values()))
    changed = [gr.update(label="changed"), [1]]
    asyncio.run(page.postprocess_data(handler, changed, session))
    assert session[kept._id] == [1] and other[kept._id] == []
    assert (session[box._id].label, other[box._id].label) == ("changed", None)
    assert list(session.components) == [], broken("config_values", "sessions hold the page")


def made_for(
    page: type[gr.Blocks], monkeypatch: pytest.MonkeyPatch
) -> tuple[list[Any], list[str | None]]:
    """The replies of a handler of five outputs to values of all kinds, and which were made anew."""
    anew: list[str | None] = []
    stock = gr.Textbox.__init__

    def counted(self: gr.Textbox, *given: Any, **named: Any) -> None:
        anew.append(named.get("elem_id"))
        stock(self, *given, **named)

    with page() as app:
        one, two = gr.Textbox("1", elem_id="one"), gr.Textbox("2", elem_id="two")
        kept, table, panel = gr.State("kept"), gr.JSON(), gr.HTML("<p></p>")
        one.change(lambda: None, None, [one, two, kept, table, panel])
        one.submit(lambda: None, None, one)
    handler, one_output = app.fns.values()
    session = compat.LightSession(app)
    monkeypatch.setattr(gr.Textbox, "__init__", counted)
    replies = [
        asyncio.run(app.postprocess_data(handler, value, session))
        for value in (
            gr.skip(),
            {two: "changed"},
            {two: gr.update(label="Two")},
            {table: {"a": 1}, kept: "new"},
            {table: {"a": 2}},
            {panel: "<b></b>"},
            {panel: gr.update(visible=False)},
            [gr.skip(), None, gr.skip(), [], ""],
            ["a", "b", "c", {}, gr.skip()],
        )
    ]
    single = [
        asyncio.run(app.postprocess_data(one_output, value, session))
        for value in (gr.skip(), {one: "changed"}, {one: gr.skip()}, "plain", ["a"], {})
    ]
    monkeypatch.setattr(gr.Textbox, "__init__", stock)
    return [*replies, *single, session[kept._id], session[two._id].label], anew


def test_outputs_that_are_left_alone_are_not_made_anew_and_replies_stay_the_same(monkeypatch):
    stock, often = made_for(gr.Blocks, monkeypatch)
    quick, changed = made_for(compat.QuickBlocks, monkeypatch)
    assert quick == stock, broken("Blocks.postprocess_data", "handlers reply otherwise")
    assert len(changed) < len(often) - 8
    assert len(often) > 4, "Gradio no longer makes each output anew: QuickBlocks may go"
    with compat.QuickBlocks() as app:
        box = gr.Textbox()
        box.change(lambda: None, None, [box, gr.Textbox()])
    handler, session = next(iter(app.fns.values())), compat.LightSession(app)
    with pytest.raises(ValueError, match="returned"):
        asyncio.run(app.postprocess_data(handler, ["too few"], session))


def test_logins_are_where_a_request_is_read():
    with gr.Blocks() as page:
        pass
    server = gr.routes.App.create_app(page)
    for name, use in (("tokens", "a panel knows no login"), ("cookie_id", "no cookie is found")):
        assert hasattr(server, name), broken(f"App.{name}", use)
    server.tokens["token"] = "ada"
    cookies = {f"access-token-{server.cookie_id}": "token"}
    request = SimpleNamespace(username=None, app=server, cookies=cookies)
    assert compat.account(request) == "ada"
    session = {"oauth_info": {"userinfo": {"preferred_username": "grace"}}}
    plain = SimpleNamespace(scope={"session": session})
    assert compat.hub_user(plain) == compat.hub_user(gr.Request(plain)) == "grace", broken(
        "Request.request", "nobody is signed in"
    )


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


def test_a_figure_is_sent_without_a_toolbar_and_hidden_where_there_is_none():
    figure = SimpleNamespace(to_json=lambda: '{"data": []}')
    with gr.Blocks():
        sent = gr.Plot().postprocess(compat.plot(figure))
    assert sent is not None and sent.type == "plotly"
    assert json.loads(sent.plot)["config"]["displayModeBar"] is False, broken("PlotData", "toolbar")
    assert compat.shown_plot(None)["visible"] is False
    assert compat.shown_plot(figure)["visible"] is True
