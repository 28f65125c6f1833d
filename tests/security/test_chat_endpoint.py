"""`/v1`: off by default, no answer without a key, and nothing for other pages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from starlette.testclient import TestClient

from app import launch_options
from components.page import chat_endpoint
from components.ui import access
from studio.core.errors import ConfigError
from studio.engine.studio import Studio
from studio.labels import feedback
from tests.serving import free_port

HERE, EVIL = "http://127.0.0.1:7860", "http://evil.example"
KEY = "a-key-that-is-long-enough"
ASKED = {"model": "pocket", "messages": [{"role": "user", "content": "Hello"}]}
WITH_KEY = {"authorization": f"Bearer {KEY}"}
POSTS = ("chat/completions", "feedback")


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    made = Studio(tmp_path / "home")
    yield made
    made.close()


def launched(studio: Studio, auth: Any = None) -> tuple[TestClient, gr.Blocks]:
    with gr.Blocks() as blocks:
        gr.Markdown("A page")
    options = {**launch_options(studio), "auth": auth, "server_name": "127.0.0.1"}
    app, _, _ = blocks.launch(
        prevent_thread_lock=True, quiet=True, **{**options, "server_port": free_port()}
    )
    return TestClient(app, base_url=HERE), blocks


@pytest.fixture
def client(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setenv("STUDIO_SERVE_KEYS", f"ada:{KEY}")
    client, blocks = launched(studio)
    yield client
    blocks.close()


def test_without_keys_there_is_no_endpoint(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STUDIO_SERVE_KEYS", raising=False)
    client, blocks = launched(studio)
    try:
        for path in POSTS:
            answer = client.post(f"/v1/{path}", json=ASKED, headers=WITH_KEY)
            assert answer.status_code in (404, 405)
        assert "pocket" not in client.get("/v1/models", headers=WITH_KEY).text
    finally:
        blocks.close()


@pytest.mark.parametrize(
    "key", ["", "Bearer ", "Bearer wrong-key-that-is-long", KEY[:-1], "Bearer"]
)
def test_nothing_is_answered_or_written_without_the_key(
    client: TestClient, studio: Studio, key: str
) -> None:
    headers = {"authorization": key} if key else {}
    assert client.get("/v1/models", headers=headers).status_code == 401
    for path in POSTS:
        assert client.post(f"/v1/{path}", json=ASKED, headers=headers).status_code == 401
    assert not (studio.workspace.home / feedback.FILE).exists()


def test_a_login_is_no_key_and_a_key_no_login(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUDIO_SERVE_KEYS", f"ada:{KEY}")
    client, blocks = launched(studio, [("ada", "secret")])
    try:
        assert client.post("/login", data={"username": "ada", "password": "secret"}).is_success
        assert client.get("/v1/models").status_code == 401
        client.cookies.clear()
        assert client.get("/v1/models", headers=WITH_KEY).status_code == 200
        assert client.get("/gradio_api/info", headers=WITH_KEY).status_code == 401
    finally:
        blocks.close()


@pytest.mark.parametrize("path", POSTS)
def test_other_pages_get_nothing_even_with_a_key(client: TestClient, path: str) -> None:
    asked = client.post(f"/v1/{path}", json=ASKED, headers={**WITH_KEY, "origin": EVIL})
    assert asked.status_code == 403 and "another page" in asked.text
    rebound = client.post(f"/v1/{path}", json=ASKED, headers={**WITH_KEY, "host": "evil.example"})
    assert rebound.status_code == 403
    form = client.post(
        f"/v1/{path}", content="{}", headers={**WITH_KEY, "content-type": "text/plain"}
    )
    assert form.status_code == 415


def test_bodies_are_bounded_and_read_with_care(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def post(content: bytes) -> int:
        headers = {**WITH_KEY, "content-type": "application/json"}
        return client.post("/v1/chat/completions", content=content, headers=headers).status_code

    assert post(b"[1]") == post(b"{") == post(b"\xff") == post(b"[" * 100_000) == 400
    monkeypatch.setattr(chat_endpoint, "LARGEST", 1000)
    assert post(b'{"model": "' + b"x" * 2000) == 413
    long = {"model": "x" * 301, "messages": [{"role": "user", "content": "a"}]}
    assert client.post("/v1/chat/completions", json=long, headers=WITH_KEY).status_code in (
        400,
        413,
    )


def test_a_model_is_one_of_the_list_never_a_path_or_a_download(client: TestClient) -> None:
    for model in ("/etc", "../pocket", "Qwen/Qwen3-8B", "api:gpt", "base:Qwen/Qwen3-8B", "live:x"):
        asked = {**ASKED, "model": model}
        answer = client.post("/v1/chat/completions", json=asked, headers=WITH_KEY)
        assert answer.status_code == 404, model
    forged = client.post(
        "/v1/feedback", json={"id": "chatcmpl-1", "rating": "up"}, headers=WITH_KEY
    )
    assert forged.status_code == 404


@pytest.mark.parametrize("keys", ["ada:short", "a-key-that-is-long-enough", f":{KEY}"])
def test_weak_or_nameless_keys_stop_the_start(keys: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUDIO_SERVE_KEYS", keys)
    with pytest.raises(ConfigError, match="NAME:KEY"):
        chat_endpoint.check()


def test_a_key_counts_on_its_paths_only(monkeypatch: pytest.MonkeyPatch) -> None:
    from starlette.requests import Request

    monkeypatch.setenv("STUDIO_SERVE_KEYS", f"ada:{KEY},eve:short")

    def holder(path: str, key: str) -> str | None:
        headers = [(b"authorization", f"Bearer {key}".encode()), (b"host", b"localhost")]
        scope = {"type": "http", "path": path, "headers": headers, "query_string": b""}
        return access.key_holder(Request({**scope, "method": "GET", "scheme": "http"}))

    assert holder("/v1/models", KEY) == "ada"
    assert holder("/gradio_api/call/train", KEY) is None
    assert holder("/v1/models", "short") is None and holder("/v1/models", "") is None
