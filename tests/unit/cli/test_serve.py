"""`app` in the shell: it becomes `python app.py` with the same flags."""

from __future__ import annotations

import os
import sys

import pytest

from studio.core.workspace import ROOT


@pytest.fixture
def started(monkeypatch) -> list[list[str]]:
    """The command lines that this process would have become."""
    found: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda program, arguments: found.append(arguments))
    return found


def test_the_flags_are_handed_on(shell, started):
    page = [sys.executable, str(ROOT / "app.py")]
    assert shell("app").code == 0
    flags = ["--host", "0.0.0.0", "--port", "80", "--auth", "a:b", "--auth", "c:d", "--share"]
    assert shell("app", *flags, "--open").code == 0
    assert started == [page, [*page, *flags, "--open"]]


def test_a_checkout_without_the_page_is_refused(shell, started, monkeypatch, tmp_path):
    monkeypatch.setattr("studio.cli.serve.ROOT", tmp_path)
    assert "app.py" in shell("app").refused(1) and started == []
