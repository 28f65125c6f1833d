"""Other web pages: they may link here, and neither change nor read anything."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import gradio as gr
import pytest
from starlette.testclient import TestClient

from app import launch_options
from components.ui.compat import CustomCORSMiddleware
from studio.core.errors import StudioError
from studio.engine.studio import Studio
from tests.serving import free_port

HERE = "http://127.0.0.1:7860"
EVIL = "http://evil.example"
ROUTES = ("component_server", "upload", "queue/join", "run/delete", "call/delete", "cancel")
Client = Callable[..., TestClient]


@pytest.fixture
def page(tmp_path) -> Iterator[Client]:
    """`page(auth=..., at=...)`: a Gradio app with the studio's gate, as it is launched."""
    studio = Studio(tmp_path / "home")
    opened = []

    def serve(auth: list[tuple[str, str]] | None = None, at: str = HERE) -> TestClient:
        with gr.Blocks() as blocks:
            gr.Button().click(lambda: None, api_name="delete")
        opened.append(blocks)
        options = {**launch_options(studio), "auth": auth, "server_name": "127.0.0.1"}
        options["server_port"] = free_port()  # other tests may be looking for one, too
        assert options["state_session_capacity"] <= 500  # each may be made by a stranger
        app, _, _ = blocks.launch(prevent_thread_lock=True, quiet=True, **options)
        return TestClient(app, base_url=at)

    yield serve
    for blocks in opened:
        blocks.close()
    studio.close()


def refused(answer: Any) -> bool:
    return answer.status_code == 403 and "another page" in answer.text


@pytest.mark.parametrize("route", ROUTES)
def test_a_foreign_page_changes_nothing(page: Client, route: str) -> None:
    client = page()
    body = '{"component_id": 1, "fn_name": "models_delete", "data": null}'
    plain = {"content-type": "text/plain"}
    asked = [
        {"origin": EVIL},
        {"origin": "null"},
        {"origin": EVIL, "sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"},  # a form
        {"origin": "http://127.0.0.1:9999", "sec-fetch-site": "same-site"},  # another port
        {"origin": "http://127.0.0.1.evil.example:7860"},
        {"origin": "http://["},
    ]
    for headers in asked:
        answer = client.post(f"/gradio_api/{route}", content=body, headers={**plain, **headers})
        assert refused(answer), headers
        assert "access-control-allow-origin" not in answer.headers
        assert "access-control-allow-credentials" not in answer.headers


def test_a_foreign_page_reads_nothing_and_is_granted_no_preflight(page: Client) -> None:
    client = page(auth=[("ada", "secret")], at="https://studio.example")
    for path in ("/config", "/gradio_api/info", "/"):
        answer = client.get(path, headers={"origin": EVIL, "sec-fetch-site": "cross-site"})
        assert refused(answer)
        assert "access-control-allow-origin" not in answer.headers
    asked = {"origin": EVIL, "access-control-request-method": "POST"}
    assert "access-control-allow-origin" not in client.options("/config", headers=asked).headers
    script = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
    assert refused(client.get("/config", headers=script))


def test_a_link_from_elsewhere_opens_the_page(page: Client) -> None:
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    answer = page().get("/", headers=link)
    assert answer.status_code == 200
    assert answer.headers["content-security-policy"] == "frame-ancestors 'self'"


def test_a_name_that_was_made_to_mean_this_machine_is_refused(
    page: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: the page of evil.example asks evil.example, which is 127.0.0.1 now."""
    client = page()
    rebound = {"host": "evil.example:7860", "sec-fetch-site": "same-origin"}
    answer = client.get("/config", headers=rebound)
    assert answer.status_code == 403 and "STUDIO_HOSTS" in answer.text
    for host in ("127.0.0.1:7860", "localhost:7860", "[::1]:7860", "studio.localhost"):
        assert client.get("/config", headers={"host": host}).status_code == 200, host
    monkeypatch.setenv("STUDIO_HOSTS", "box.lan, evil.example")
    assert client.get("/config", headers=rebound).status_code == 200


def changes(client: TestClient, **headers: str) -> int:
    return client.post(
        "/gradio_api/call/delete",
        json={"data": []},
        headers={key.replace("_", "-"): value for key, value in headers.items()},
    ).status_code


def test_its_own_page_curl_and_the_client_change_things(page: Client) -> None:
    client = page()
    assert changes(client) == 200  # curl, gradio_client
    assert changes(client, origin=HERE, sec_fetch_site="same-origin") == 200
    assert changes(client, origin=HERE) == 200  # a browser without fetch metadata
    assert changes(client, host="localhost:7860", origin="http://localhost:7860") == 200


def test_behind_a_proxy_that_rewrites_host(page: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    client = page()
    outside = "https://studio.example"
    assert changes(client, origin=outside, x_forwarded_host="studio.example") == 200
    assert changes(client, origin=outside) == 403
    monkeypatch.setenv("STUDIO_ORIGINS", outside)
    assert changes(client, origin=outside) == 200
    answer = client.get("/config", headers={"origin": outside})
    assert answer.headers["access-control-allow-origin"] == outside
    asked = {"origin": outside, "access-control-request-method": "POST"}
    granted = client.options("/gradio_api/queue/join", headers=asked)
    assert granted.status_code == 200
    assert granted.headers["access-control-allow-origin"] == outside


def test_on_a_space_inside_the_hubs_frame(page: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPACE_ID", "ada/studio")
    monkeypatch.setenv("SPACE_HOST", "ada-studio.hf.space")
    client = page(at="http://10.0.0.7:7860")
    frame = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    shown = client.get("/", headers={**frame, "sec-fetch-dest": "iframe"})
    assert shown.status_code == 200
    assert "https://huggingface.co" in shown.headers["content-security-policy"]
    assert changes(client, origin="https://ada-studio.hf.space") == 200
    assert changes(client, origin="https://huggingface.co", sec_fetch_site="cross-site") == 403


def test_gradio_still_adds_the_middleware_that_is_taken_out() -> None:
    """Another name or place for it would leave every origin reflected; starting says so."""
    from components.ui.compat import without_gradios_cors

    with gr.Blocks() as blocks:
        pass
    app = gr.routes.App.create_app(blocks)
    assert any(one.cls is CustomCORSMiddleware for one in app.user_middleware)

    @contextmanager
    def refusal():
        with pytest.raises((RuntimeError, StudioError), match="CORS"):
            yield

    async def twice() -> None:
        async with without_gradios_cors(app):
            assert not any(one.cls is CustomCORSMiddleware for one in app.user_middleware)
        with refusal():
            async with without_gradios_cors(app):
                pass

    asyncio.run(twice())
