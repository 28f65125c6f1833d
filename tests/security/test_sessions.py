"""Sessions: somebody who is no owner opens a few, by hashes that pages have, with small bodies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from app import launch_options
from components.page import sessions
from components.page.file_access import Gate
from components.ui import access
from studio.core.workspace import Workspace
from studio.engine.studio import Studio

JOIN = "/gradio_api/queue/join"


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    async def echo(request: Request) -> PlainTextResponse:
        return PlainTextResponse(await request.body())

    routes = [Route("/{path:path}", echo, methods=["GET", "POST"])]
    app = Starlette(routes=routes, middleware=[Middleware(Gate, workspace=Workspace(tmp_path))])
    app.get_blocks = lambda: None  # type: ignore[attr-defined]
    monkeypatch.setattr(access, "visitor", lambda: "mallory")
    return TestClient(app, base_url="http://127.0.0.1:7860")


def asked(client: TestClient, session: Any, path: str = JOIN) -> int:
    return client.post(path, json={"data": [], "session_hash": session}).status_code


@pytest.mark.parametrize("path", [JOIN, "/gradio_api/component_server"])
def test_a_hash_that_no_page_has_is_refused(client: TestClient, path: str) -> None:
    for session in ("x" * 41, "a b", "../../x", "", 5, ["a"], {"a": 1}, "\u0000"):
        assert asked(client, session, path) == 429, session
    for session in ("x3k9aq01zb", "0b2d9f0e-6a7f-4d2f-8a38-8c4a1f1d2a11"):
        assert asked(client, session, path) == 200
    assert client.post(path, content=b"not json").status_code == 429
    assert client.post(path, content=b"[" * 100_000).status_code == 429


def test_one_person_opens_so_many_sessions_and_keeps_them(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "PER_HOUR", 3)
    assert [asked(client, f"s{number}") for number in range(5)] == [200, 200, 200, 429, 429]
    assert asked(client, "s1") == 200
    refused = client.post("/gradio_api/call/answer", json={"data": []})
    assert refused.status_code == 429 and "pages an hour" in refused.text
    monkeypatch.setattr(access, "visitor", lambda: "ada")
    assert [client.post("/gradio_api/call/answer/", json={"data": []}).status_code] * 3 == [200] * 3
    monkeypatch.setattr(access, "visitor", lambda: None)
    assert [asked(client, f"o{number}") for number in range(9)] == [200] * 9


def test_sessions_are_counted_for_an_hour_and_people_are_few() -> None:
    now = [0.0]
    kept = sessions.Sessions(lambda: now[0])
    body = [json.dumps({"session_hash": f"s{number}"}).encode() for number in range(200)]
    assert [kept.refused(one, "ada") for one in body].count("") == sessions.PER_HOUR
    now[0] = 3601.0
    assert kept.refused(body[199], "ada") == ""
    for number in range(sessions._PEOPLE + 5):
        kept.refused(body[0], str(number))
    assert len(kept._opened) == sessions._PEOPLE


def test_a_body_is_small_and_reaches_the_route_whole(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = json.dumps({"session_hash": "a", "data": ["\u00e9" * 9000]})
    assert client.post(JOIN, content=body).text == body
    monkeypatch.setattr(sessions, "LARGEST", 1000)
    assert client.post(JOIN, content=body).status_code == 413
    assert client.post(JOIN, content=iter([b"x" * 600, b"y" * 600])).status_code == 413
    monkeypatch.setattr(access, "visitor", lambda: None)
    assert client.post(JOIN, content=body).status_code == 200


def test_few_sessions_are_kept(tmp_path: Path) -> None:
    studio = Studio(tmp_path)
    assert sessions.PER_HOUR < launch_options(studio)["state_session_capacity"] <= 500
    studio.close()
