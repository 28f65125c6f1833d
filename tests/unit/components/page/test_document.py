"""The document: what programs alone need is left out, it is packed, and Gradio still fits it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from components.page import document
from components.page.strangers import Page
from components.ui import access, compat

ASSETS = Path(gr.__file__).parent / "templates" / "frontend" / "assets"
CONFIG = "<script>window.gradio_config = {};</script>"
INFO = "<script>window.gradio_api_info = {};</script>"


def answered(path: str, body: str, packed: bool) -> tuple[bytes, dict[str, str]]:
    routes = [
        Route("/", lambda request: HTMLResponse(body)),
        Route("/other", lambda request: PlainTextResponse(body)),
    ]
    app = document.Document(Starlette(routes=routes))
    asked = {"accept-encoding": "gzip" if packed else "identity"}
    reply = TestClient(app).get(path, headers=asked)
    return reply.content, dict(reply.headers)


def test_the_document_is_packed_and_starts_with_the_pages_own_script():
    config = CONFIG.replace("{}", json.dumps({"components": ["c"] * 400}))
    info = INFO.replace("{}", json.dumps({"named_endpoints": {"/calc": {"a": "$&\\1"}}}))
    page = f"<head>{config}{info}</head>"
    plain, _ = answered("/", page, packed=False)
    body, headers = answered("/", page, packed=True)
    assert body == plain and headers["content-encoding"] == "gzip"
    assert int(headers["content-length"]) < len(plain)
    assert plain.index(b"defineProperty(window") < plain.index(b"gradio_config = {")
    assert b"/calc" not in plain and config.encode() in plain
    assert answered("/other", page, packed=True)[0] == page.encode()


def echo(word: str) -> str:
    return word


def test_a_browser_is_not_told_what_programs_need_and_programs_are(monkeypatch):
    monkeypatch.setattr(access, "visitor", lambda: None)
    with Page() as page:
        gr.api(echo, api_name="echo")
        compat.take_endpoints_off_the_page()
        box = gr.Textbox(label="Words", elem_id="landing", visible=False)
        page.first_visit = lambda: True
        box.change(lambda words: None, box, None)

    def asked(path: str):
        request = SimpleNamespace(scope={"path": path})
        token = gr.context.LocalContext.request.set(request)
        try:
            return page.config
        finally:
            gr.context.LocalContext.request.reset(token)

    browser, program = asked("/"), asked("/config")
    assert {one["type"] for one in browser["components"]} == {"textbox", "form"}
    seen = [one["props"]["visible"] for told in (browser, program) for one in told["components"]
            if one["type"] == "textbox"]  # fmt: skip
    assert seen == [True, False], "what comes later moves the page"
    assert len(browser["dependencies"]) == 1 and len(program["dependencies"]) == 2
    assert [one["id"] for one in program["layout"]["children"]] == [box.parent._id]
    assert sum(one["type"] == "api" for one in program["components"]) >= 1
    assert "/echo" in page.get_api_info()["named_endpoints"]


def test_gradio_is_what_the_first_script_was_written_against():
    first = document.FIRST.decode()
    clock = re.search(r"CLOCK = /(.+)/;", first)
    assert clock
    tracker = "".join(path.read_text() for path in ASSETS.glob("statustracker-*.js"))
    assert re.search(clock[1], tracker), "a detached status tracker counts for ever again"
    svelte = "".join(path.read_text() for path in ASSETS.glob("index-*.js"))
    assert re.search(r"if\(t!==\w+&&t!==\w+\)return e;", svelte), "the configuration is watched"
    template = (ASSETS.parent / "index.html").read_text()
    assert "<script>window.gradio_config = {{" in template
    assert "<script>window.gradio_api_info = {{" in template
