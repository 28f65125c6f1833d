"""The shell: what is loaded before first paint, who may come in, what is served and what is not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

import app
from studio.core.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
HEAVY = (
    "torch",
    "transformers",
    "trl",
    "peft",
    "datasets",
    "bitsandbytes",
    "sentence_transformers",
)


def test_first_paint_needs_no_heavy_library(tmp_path):
    code = (
        "import sys, app; from studio import Studio; "
        f"blocks = app.build_app(Studio({str(tmp_path)!r})); "
        f"print(*[name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


def start(
    python: Path, *flags: str, home: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    """`python app.py` with flags, expected to refuse at once."""
    return subprocess.run(
        [str(python), "app.py", *flags],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=90,
        env={**os.environ, "STUDIO_HOME": str(home), **environment},
    )


def test_it_refuses_strangers_without_a_login(tmp_path, preloaded_python):
    done = start(preloaded_python, "--host", "0.0.0.0", home=tmp_path)
    assert done.returncode == 2
    assert "--auth USER:PASSWORD" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("host", "auth", "share", "space", "allowed"),
    [
        ("127.0.0.1", [], False, False, True),
        ("localhost", [], False, False, True),
        ("::1", [], False, False, True),
        ("127.0.0.53", [], False, False, True),
        ("0.0.0.0", [], False, False, False),
        ("192.168.1.4", [], False, False, False),
        ("studio.example.org", [], False, False, False),
        ("0.0.0.0", [("ada", "secret")], False, False, True),
        ("127.0.0.1", [], True, False, False),
        ("127.0.0.1", [("ada", "secret")], True, False, True),
        ("0.0.0.0", [], False, True, True),
        ("0.0.0.0", [], True, True, False),
    ],
)
def test_who_may_reach_it(monkeypatch, host, auth, share, space, allowed):
    monkeypatch.delenv("SPACE_ID", raising=False)
    if space:
        monkeypatch.setenv("SPACE_ID", "someone/studio")
    if allowed:
        app.check_exposure(host, auth, share)
    else:
        with pytest.raises(ConfigError, match="--auth"):
            app.check_exposure(host, auth, share)


def test_flags_win_over_the_environment(monkeypatch):
    monkeypatch.setenv("GRADIO_SERVER_NAME", "10.0.0.1")
    monkeypatch.setenv("STUDIO_AUTH", "eve:one,ada:two:three")
    assert app.parse([]).host == "10.0.0.1"
    assert app.parse([]).auth == [("eve", "one"), ("ada", "two:three")]
    chosen = app.parse(["--host", "127.0.0.1", "--auth", "ada:x", "--auth", "bob:y"])
    assert chosen.host == "127.0.0.1"
    assert chosen.auth == [("ada", "x"), ("bob", "y")]
    assert app.parse([]).share is False


@pytest.mark.parametrize("pair", ["ada", "ada:", ":secret", ""])
def test_a_login_without_a_password_is_refused(pair):
    with pytest.raises(ConfigError, match="USER:PASSWORD"):
        app.parse(["--auth", pair])


def fetch(url: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, b""


def test_the_page_has_six_tabs_and_tells_nothing_about_itself(server):
    status, page = fetch(f"{server.url}config")
    config = json.loads(page)
    labels = [c["props"].get("label") for c in config["components"] if c["type"] == "tabitem"]
    assert status == 200
    assert [
        name
        for name in labels
        if name in ("Data", "Calculator", "Train", "Compare", "Label", "Models")
    ]
    assert labels[0] == "Data"
    assert config["analytics_enabled"] is False
    named = [d["api_name"] for d in config["dependencies"] if d["api_visibility"] == "public"]
    assert all(named)
    assert not {"draw", "advance", "read_files", "prepare", "delete"} & set(named)


def test_the_workspace_is_not_served(server):
    secret = server.home / "datasets" / "secret.json"
    secret.parent.mkdir(parents=True, exist_ok=True)
    secret.write_text("{}")
    for path in (secret, server.home / "studio.log", Path("/etc/hostname")):
        assert fetch(f"{server.url}gradio_api/file={path}")[0] in (403, 404)


def test_nothing_on_the_page_comes_from_elsewhere(server):
    page = fetch(server.url)[1].decode()
    for mark in ("fonts.googleapis.com", "fonts.gstatic.com", "huggingface.co/datasets"):
        assert mark not in page


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "localhost,127.0.0.1,::1"),
        ("corp.example,localhost", "corp.example,localhost,127.0.0.1,::1"),
        ("*", "*"),
    ],
)
def test_the_page_asks_itself_without_a_proxy(monkeypatch, before, after):
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, before)
    app.bypass_proxy()
    assert os.environ["no_proxy"] == os.environ["NO_PROXY"] == after
