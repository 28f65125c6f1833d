"""The gate before Gradio's own routes: exports are an owner's, by whatever path they are named."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from components.page.file_access import Gate, remove_torn_uploads
from components.ui import access
from studio.core.workspace import RESERVE, Workspace


@pytest.fixture
def gate(tmp_path: Path) -> TestClient:
    def served(request: Request) -> PlainTextResponse:
        return PlainTextResponse("served")

    routes = [Route("/{path:path}", served, methods=["GET", "POST"])]
    gate = Middleware(Gate, workspace=Workspace(tmp_path))
    app = Starlette(routes=routes, middleware=[gate])
    app.get_blocks = lambda: None  # type: ignore[attr-defined]
    return TestClient(app, base_url="http://127.0.0.1:7860")


def test_a_visitor_gets_no_export_however_its_path_is_written(
    gate: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    named = [
        f"{tmp_path}/exports/weights",
        f"{tmp_path}//exports/weights",
        f"{tmp_path}/runs/%2e%2e/exports/weights",
        "exports/weights",
        f"{tmp_path}/what%3F/%2e%2e/exports/weights",  # a URL would end at the decoded "?"
    ]
    for who, status in (("mallory", 403), (None, 200)):
        monkeypatch.setattr(access, "visitor", lambda who=who: who)
        for path in named:
            for route in ("file=", "file/"):
                assert gate.get(f"/gradio_api/{route}{path}").status_code == status, path
        assert gate.get(f"/gradio_api/file={tmp_path}/page/picture.png").status_code == 200


def test_a_path_is_decoded_once(gate: TestClient, tmp_path: Path, monkeypatch) -> None:
    """Decoded twice, `a%2Fb` would be two folders, and `..` after it would lead elsewhere."""
    monkeypatch.setattr(access, "visitor", lambda: "mallory")
    sent = f"/gradio_api/file={tmp_path}/a%252Fb/../exports/weights"
    assert gate.get(sent).status_code == 403


def test_a_name_that_no_file_has_is_refused(gate: TestClient, monkeypatch) -> None:
    monkeypatch.setattr(access, "visitor", lambda: "mallory")
    assert gate.get("/gradio_api/file=/a%00b").status_code == 403


@pytest.mark.parametrize("path", ["/upload", "/gradio_api/upload"])
def test_visitors_upload_nothing(gate: TestClient, monkeypatch, path: str) -> None:
    for who, status in (("mallory", 403), (None, 200)):
        monkeypatch.setattr(access, "visitor", lambda who=who: who)
        assert gate.post(path, content=b"x").status_code == status


def test_an_upload_leaves_room_for_votes(gate: TestClient, monkeypatch) -> None:
    monkeypatch.setattr(access, "visitor", lambda: None)
    monkeypatch.setattr(Workspace, "free_bytes", lambda self: RESERVE + 10)
    assert gate.post("/gradio_api/upload", content=b"x" * 10).status_code == 200
    refused = gate.post("/gradio_api/upload", content=b"x" * 11)
    assert refused.status_code == 403 and "nearly full" in refused.text


def test_uploads_that_broke_off_are_removed(tmp_path: Path) -> None:
    torn, new, kept = tmp_path / "tmpab12", tmp_path / "tmpcd34", tmp_path / "a1b2" / "tmp.csv"
    kept.parent.mkdir()
    for file in (torn, new, kept):
        file.write_bytes(b"x")
    old = time.time() - 7200
    os.utime(torn, (old, old))
    os.utime(kept, (old, old))
    remove_torn_uploads(tmp_path)
    assert not torn.exists() and new.exists() and kept.exists()
    remove_torn_uploads(tmp_path / "none")
