"""`/v1`: off by default, no answer without a key, and nothing for other pages."""

from __future__ import annotations

import json
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
from studio.generation.request import Answer, Column, GenerationRequest, Sampling
from studio.labels import feedback
from studio.workflows.chat_api import ChatRequest, Ticket
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


def deep(levels: int) -> Any:
    found: Any = "end"
    for _ in range(levels):
        found = {"a": [found]}
    return found


SAID = {"role": "user", "content": "Hello"}
ODD: dict[str, dict[str, Any]] = {
    "a template of their own": {"chat_template_kwargs": {"chat_template": "{{ 'A' * 10 ** 9 }}"}},
    "the tokenizer's arguments": {"chat_template_kwargs": {"tokenize": True}},
    "a variable that is an object": {"chat_template_kwargs": {"x": {"y": 1}}},
    "tools of depth 400": {"tools": [deep(200)]},
    "kwargs of depth 400": {"chat_template_kwargs": deep(200)},
    "a message of depth 400": {"messages": [{**SAID, "x": deep(200)}]},
    "half a character": {"messages": [{"role": "user", "content": "\ud800"}]},
    "content of numbers": {"messages": [{"role": "user", "content": 5}]},
    "a role of objects": {"messages": [{"role": deep(3), "content": "a"}]},
    "a seed without end": {"seed": 10**30},
    "a seed past the generator's": {"seed": 2**64},
    "top_k without end": {"top_k": 10**30},
    "too many tokens": {"max_tokens": 10**9},
    "no tokens": {"max_tokens": 0},
    "a temperature that is none": {"temperature": float("nan")},
    "stops without end": {"stop": ["x"] * 1000},
    "long stops": {"stop": "x" * 1000},
}


@pytest.mark.parametrize("kind", ODD)
def test_odd_requests_are_refused_before_the_queue(client: TestClient, kind: str) -> None:
    content = json.dumps({**ASKED, **ODD[kind]})
    headers = {**WITH_KEY, "content-type": "application/json"}
    answer = client.post("/v1/chat/completions", content=content, headers=headers)
    assert answer.status_code == 400 and answer.json()["error"]["message"], answer.text


@pytest.mark.parametrize(
    "more",
    [{"reasoning_content": "x" * 40_000}, {"tool_calls": [{"function": {"name": "x" * 40_000}}]}],
)
def test_all_of_a_prompt_counts_for_its_length(more: dict[str, Any]) -> None:
    """Thinking and calls are written by templates as the text is."""
    asked = {"messages": [{"role": "assistant", "content": "a", **more}], "model": "pocket"}
    prompt = ChatRequest.model_validate(asked).prompt()
    with pytest.raises(ConfigError, match="characters with its history"):
        GenerationRequest((prompt,), (Column("pocket"),)).check(32_768)


def test_a_variable_of_a_template_counts_for_its_length() -> None:
    kwargs = {"documents_text": "x" * 40_000}
    prompt = ChatRequest.model_validate({**ASKED, "chat_template_kwargs": kwargs}).prompt()
    with pytest.raises(ConfigError, match="characters with its history"):
        GenerationRequest((prompt,), (Column("pocket"),)).check(32_768)


@pytest.mark.parametrize("calls", [5, "abc", {"a": 1}, [5, None, "x", {"function": 3}]])
def test_calls_of_another_kind_are_no_crash(calls: Any) -> None:
    turn = {"role": "assistant", "content": "a", "tool_calls": calls}
    [made] = ChatRequest.model_validate({**ASKED, "messages": [turn]}).prompt()
    assert made["content"] == "a"


def test_ratings_do_not_fill_the_disk(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """One answer is rated so often and no more; nobody else's is found."""
    endpoint = chat_endpoint._Endpoint(studio)
    ticket = Ticket(Column("pocket"), [SAID], Sampling())
    endpoint.given["one"] = chat_endpoint._Given(
        "ada", ticket, Answer("Hi", ended="stop"), "pocket"
    )
    monkeypatch.setattr(access, "login", lambda: "eve")
    with pytest.raises(chat_endpoint.Refused, match="no answer"):
        endpoint._own("one")
    monkeypatch.setattr(access, "login", lambda: "ada")
    for _ in range(chat_endpoint.RATINGS):
        endpoint._keep(chat_endpoint.Feedback(id="one", rating="up"))
    with pytest.raises(chat_endpoint.Refused, match="at most"):
        endpoint._keep(chat_endpoint.Feedback(id="one", rating="up"))
    assert len(feedback.rows(studio.workspace)) == 1
