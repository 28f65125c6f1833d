"""Gradio's scripts are what the changes were written for, and all others are sent as they are."""

from __future__ import annotations

from importlib.metadata import version

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from components.page import gradio_scripts
from components.page.gradio_scripts import ASSETS, CHANGES, GradioScripts, changed

NAMES = [path.name for kind in CHANGES for path in ASSETS.glob(f"{kind}-*.js")]


def client() -> TestClient:
    def own(request):
        return PlainTextResponse("Gradio's")

    routes = [Route("/assets/{name:path}", own, methods=["GET", "HEAD"]), Route("/", own)]
    return TestClient(GradioScripts(Starlette(routes=routes)))


@pytest.mark.parametrize("kind", CHANGES)
def test_each_change_fits_this_gradio_once(kind: str):
    (name,) = [name for name in NAMES if name.startswith(f"{kind}-")]
    script = (ASSETS / name).read_bytes()
    for found, _ in CHANGES[kind]:
        assert len(found.findall(script)) == 1, (
            f"Gradio {version('gradio')} builds its tree otherwise than 6.31: {found.pattern!r} is "
            "not in its script, and the page is slow again. See components/page/gradio_scripts.py."
        )
    sent = changed(name)
    assert sent and sent != script and len(sent) < len(script) + 3000


def test_a_script_is_asked_for_again_and_sent_once():
    name = next(name for name in NAMES if name.startswith("core-"))
    first = client().get(f"/assets/{name}")
    assert first.content == changed(name) and b"studioFind(e,t)" in first.content
    assert first.headers["content-type"].startswith("text/javascript")
    assert first.headers["content-encoding"] == "gzip"
    assert first.headers["cache-control"] == "no-cache"  # another app at this address has its own
    again = client().get(f"/assets/{name}", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "path", ["/", "/assets/index-abc.js", "/assets/core-none.js", "/assets/core-../../x.js"]
)
def test_everything_else_is_gradios_own(path: str):
    assert client().get(path).text == "Gradio's"


def test_a_script_that_is_not_as_expected_is_sent_as_it_is(tmp_path, monkeypatch):
    (tmp_path / "core-next.js").write_text("export const tree = 1;")
    monkeypatch.setattr(gradio_scripts, "ASSETS", tmp_path)
    assert changed("core-next.js") is None
    assert client().get("/assets/core-next.js").text == "Gradio's"
