"""The gate before Gradio's own routes: exports are an owner's, by whatever path they are named."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from components.page.file_access import Gate
from components.ui import access


@pytest.fixture
def gate(tmp_path: Path) -> TestClient:
    (tmp_path / "exports").mkdir()

    def served(request: Request) -> PlainTextResponse:
        return PlainTextResponse("served")

    routes = [Route("/{path:path}", served)]
    app = Starlette(routes=routes, middleware=[Middleware(Gate, exports=tmp_path / "exports")])
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
