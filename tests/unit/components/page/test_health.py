"""`/healthz`: 200 while votes, worker and disk work; else 503 and which of them does not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from components.page import health
from studio import Studio
from studio.core.workspace import Workspace


@pytest.fixture
def studio(home: Path):
    made = Studio(home)
    yield made
    made.close()


def asked(studio: Studio) -> tuple[int, dict]:
    answer = TestClient(Starlette(routes=[health.route(studio)])).get("/healthz")
    return answer.status_code, answer.json()


def test_all_is_well(studio: Studio) -> None:
    assert asked(studio) == (200, {"ok": True, "database": "ok", "worker": "ok", "disk": "ok"})


def test_a_database_that_cannot_be_used(studio: Studio) -> None:
    (studio.workspace.home / "votes.db").write_bytes(b"no database" * 999)
    code, parts = asked(studio)
    assert code == 503 and parts["database"] == "the votes database cannot be used"
    assert parts["worker"] == parts["disk"] == "ok"


def test_a_worker_whose_thread_has_ended(studio: Studio, monkeypatch) -> None:
    monkeypatch.setattr(studio.worker, "_broken", "torch is missing")
    assert asked(studio)[1]["worker"] == "its thread has ended; restart the studio"


def test_a_full_disk_and_one_that_is_gone(studio: Studio, monkeypatch) -> None:
    monkeypatch.setattr(Workspace, "free_bytes", lambda self: 1000)
    assert asked(studio)[1]["disk"] == "the disk is nearly full"
    monkeypatch.undo()
    shutil.rmtree(studio.workspace.home)
    code, parts = asked(studio)
    assert code == 503 and parts["disk"] == "the workspace cannot be reached"
