"""What used to end in another library's words, or in a traceback: a sentence each."""

from __future__ import annotations

import errno
import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

import app
from components.page import api
from components.page.file_access import Gate
from components.ui.handlers import guard
from components.ui.visitor_quota import Visits
from studio.cli import main as shell
from studio.commands import COMMANDS
from studio.core.device_errors import lost_peer
from studio.core.errors import ConfigError, DataError, WorkspaceError
from studio.core.workspace import Workspace
from studio.data.readers.files import read_file
from studio.engine.studio import Studio
from studio.training.execute import attempt
from tests.asking import owner_asks

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def studio(home: Path) -> Iterator[Studio]:
    made = Studio(home)
    yield made
    made.close()


# ---- starting ------------------------------------------------------------------------------------


@pytest.fixture
def signals(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(app.faulthandler, "dump_traceback_later", lambda *a, **k: None)
    kept = {one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT)}
    yield
    for one, handler in kept.items():
        signal.signal(one, handler)


def test_a_home_that_is_read_only(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], signals: None
) -> None:
    def refuse(self: Path, *given: Any, **named: Any) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(self))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "mkdir", refuse)
        assert app.main([]) == 1
    said = capsys.readouterr().err
    assert "Read-only file system" in said and "Set STUDIO_HOME" in said and "Trace" not in said


def test_a_log_that_cannot_be_written(home: Path, studio: Studio) -> None:
    (home / "studio.log").mkdir()
    with pytest.raises(WorkspaceError, match=r"studio\.log cannot be written: Is a directory"):
        app.log_to_file(studio)


def test_sigterm_while_it_starts(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], signals: None
) -> None:
    monkeypatch.setattr(app, "_serve", lambda chosen: os.kill(os.getpid(), signal.SIGTERM))
    assert app.main([]) == 1
    assert capsys.readouterr().err == "Stopped while it was starting; nothing was begun.\n"


# ---- over HTTP -----------------------------------------------------------------------------------


def asked(tmp_path: Path, error: Exception) -> tuple[int, str]:
    async def route(request: Request) -> PlainTextResponse:
        raise error

    routes = [Route("/{path:path}", route, methods=["POST"])]
    made = Starlette(routes=routes, middleware=[Middleware(Gate, workspace=Workspace(tmp_path))])
    made.get_blocks = lambda: None  # type: ignore[attr-defined]
    client = TestClient(made, base_url="http://127.0.0.1:7860")
    answer = client.post("/gradio_api/component_server", json={"session_hash": "a"})
    return answer.status_code, answer.text


def test_a_disk_that_is_full_in_an_upload(tmp_path: Path) -> None:
    found = asked(tmp_path, OSError(errno.ENOSPC, "No space left on device"))
    assert found == (507, "The disk of this studio is full: free some space, then do it again.")


def test_a_component_that_is_unknown(tmp_path: Path) -> None:
    status, words = asked(tmp_path, KeyError(999_999))
    assert status == 404 and words.endswith("has no such part; reload the page.")
    status, words = asked(tmp_path, RuntimeError("inner words"))
    assert status == 500 and "studio.log" in words and "inner words" not in words


def test_a_nul_in_a_name(studio: Studio) -> None:
    for name, values in (
        ("backup", {"file": "a\0b"}),
        ("data_inspect", {"source": ["a\0b"]}),
        ("train", {"recipe": "a\0b"}),
        ("labels_create", {"name": "a\0b"}),
    ):
        with pytest.raises(ConfigError, match="NUL character"):
            COMMANDS[name](studio, **values)

    def open_it() -> None:
        open("a\0b").close()

    with owner_asks(), pytest.raises(gr.Error, match="NUL character"):
        guard(open_it)()


WRONG: dict[str, dict[str, Any]] = {
    "no column": {"columns": []},
    "no list": {"columns": "base:pocket"},
    "a number": {"columns": [5]},
    "a thousand": {"columns": ["base:pocket"] * 1000},
    "no text": {"prompt": 5},
    "nothing": {"prompt": None},
    "too warm": {"temperature": 99},
    "no number": {"temperature": "warm"},
    "nan": {"temperature": float("nan")},
    "no tokens": {"max_new_tokens": 0},
    "a seed below zero": {"seed": -1},
    "a step without end": {"columns": [f"run:x@{'9' * 5000}"]},
    "a step that int() does not read": {"columns": ["run:x@\u00b2"]},
    "no run": {"columns": ["run:nothing"]},
}


@pytest.mark.parametrize("kind", WRONG)
def test_values_of_compare_that_are_wrong(studio: Studio, kind: str) -> None:
    with gr.Blocks() as page:
        api.build(studio, Visits(studio))
    compare = next(one.fn for one in page.fns.values() if one.api_name == "compare")
    given = {"prompt": "Hi", "columns": ["base:pocket"], **WRONG[kind]}
    with owner_asks(), pytest.raises(gr.Error) as found:
        compare(**given)
    said = str(found.value.message)
    assert "inside the studio" not in said and said.endswith((".", "?"))


# ---- files, processes, terminals -----------------------------------------------------------------


@pytest.mark.parametrize("cut", [8, 100, 300])
def test_a_damaged_parquet(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": [f"row {number}" for number in range(999)]}), path)
    whole = path.read_bytes()
    torn = bytearray(whole)
    torn[cut : cut + 40] = b"\xff" * 40
    for data in (whole[:-cut], bytes(torn), whole[:cut]):
        path.write_bytes(data)
        with pytest.raises(DataError, match=r"a\.parquet is damaged"):
            list(read_file(path))


@pytest.mark.parametrize(
    "words",
    [
        "[/pytorch/third_party/gloo/gloo/transport/tcp/pair.cc:553] Connection closed by peer",
        "[2] is setting up NCCL communicator: TCPStore().get: Connection reset by peer",
    ],
)
def test_gloos_words(words: str) -> None:
    def work() -> str:
        raise RuntimeError(words)

    state, said = attempt(work, None, None)  # type: ignore[arg-type]
    assert state == "failed" and said and "Another process of this run ended" in said
    assert "gloo" not in said and "launch.log" in said
    assert lost_peer(RuntimeError("shapes do not match")) is None


def test_a_terminal_of_ascii(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"instruction": "Gr\u00fc\u00dfe \U0001f600", "output": "\u2192"}\n' * 3)
    made = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(made, encoding="ascii", errors="strict"))
    assert shell(["data", "inspect", str(rows)]) == 0
    sys.stdout.flush()
    assert b"Gr\\xfc\\xdfe" in made.getvalue()


@pytest.mark.slow
def test_an_argument_in_a_locale_of_ascii(tmp_path: Path) -> None:
    file = tmp_path / "Gr\u00f6\u00dfe.jsonl"
    file.write_text('{"instruction": "Hi", "output": "there"}\n' * 3)
    given = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        [sys.executable, "-m", "studio", "data", "inspect", os.fsencode(file)],
        cwd=ROOT,
        env={**os.environ, **given, "STUDIO_HOME": str(tmp_path / "home")},
        capture_output=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
