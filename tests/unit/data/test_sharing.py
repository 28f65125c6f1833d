"""Prepared datasets on their way out: files, a card, the Hub's own client against a stand-in."""

import base64
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from studio.data import DatasetStore, card, export, inspect, push
from studio.errors import ConfigError, DataError
from studio.workspace import Workspace
from tests.unit.data.making import questions, write

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def prepared(tmp_path):
    store = DatasetStore(Workspace(tmp_path / "home"))
    return store.prepare(write(tmp_path, questions(60)), "letters")


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_export_writes_rows_that_are_read_again(tmp_path, prepared, suffix):
    out = tmp_path / f"out.{suffix}"
    assert export(prepared, out) == 57
    found = inspect(out)
    assert (found.kept, found.sample) == (57, prepared.head(5))
    assert export(prepared, out, "test") == 3
    with pytest.raises(DataError, match=r"name it \.jsonl or \.parquet"):
        export(prepared, tmp_path / "out.xlsx")


def test_held_out_rows_are_paged(prepared):
    assert prepared.page(1, 5, "test") == prepared.head(3, "test")[1:]
    assert prepared.page(50, 10) == prepared.head(57)[50:]


def test_the_card_says_where_rows_came_from_and_what_was_done(prepared):
    text = card(prepared)
    assert text.startswith("---\n")
    for part in ("path: data/test.parquet", "| train | 57 |", "rows.jsonl", prepared.fingerprint):
        assert part in text
    assert "dedupe: dropped 0" in text


class StandIn(BaseHTTPRequestHandler):
    """As much of the Hub as an upload of small files needs; keeps what it is sent."""

    files: dict[str, bytes] = {}  # noqa: RUF012
    created: list[dict] = []  # noqa: RUF012
    refuse = False
    wrong: list = []  # noqa: RUF012  (statuses to answer commits and looks with, None to hang up)
    seen: list[str] = []  # noqa: RUF012  (tokens sent)

    def spoil(self):
        """Answer with the next wrong thing, if there is one."""
        self.seen.append(self.headers.get("Authorization") or "")
        if not self.wrong:
            return False
        status = self.wrong.pop(0)
        if status is None:
            self.close_connection = True
            self.connection.close()
        else:
            self.answer({"error": "made up"}, status)
        return True

    def here(self):
        return f"http://{self.headers['Host']}"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.refuse:
            return self.answer({"error": "Invalid token"}, 401)
        if self.path.endswith("/api/repos/create"):
            self.created.append(json.loads(body))
            return self.answer({"url": f"{self.here()}/datasets/me/letters", "id": "me/letters"})
        if "/preupload/" in self.path:
            asked = json.loads(body)["files"]
            modes = [{"path": f["path"], "uploadMode": "regular", "oid": None} for f in asked]
            return self.answer({"files": [{**mode, "shouldIgnore": False} for mode in modes]})
        if "/commit/" in self.path:
            if self.spoil():
                return None
            for line in body.splitlines():
                held = json.loads(line)
                if held["key"] == "file":
                    value = held["value"]
                    self.files[value["path"]] = base64.b64decode(value["content"])
            return self.answer(
                {"commitUrl": f"{self.here()}/datasets/me/letters/commit/1", "commitOid": "1"}
            )
        return self.answer({})

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        if "/resolve/" in self.path:
            body = self.files[self.path.split("/resolve/1/")[1]]
            self.send_response(200)
            for name, value in (("ETag", f'"{len(body)}"'), ("X-Repo-Commit", "1")):
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            return self.wfile.write(body) if self.command == "GET" else None
        if "/revision/" in self.path and self.spoil():
            return None
        held = [{"rfilename": name, "size": len(body)} for name, body in self.files.items()]
        return self.answer({"sha": "1", "id": "me/letters", "siblings": held})

    def answer(self, value, status=200):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def hub():
    handler = type("Hub", (StandIn,), {"files": {}, "created": [], "wrong": [], "seen": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield handler, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def shell(home, endpoint, *words):
    environment = {
        **os.environ,
        "STUDIO_HOME": str(home),
        "HF_ENDPOINT": endpoint,
        "HF_HUB_OFFLINE": "0",
        "HF_TOKEN": "hf_made_up",
        "HF_HUB_DISABLE_XET": "1",
    }
    command = [sys.executable, "-m", "studio", *words]
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120
    )


def test_push_sends_every_split_and_the_card(tmp_path, prepared, hub):
    handler, endpoint = hub
    done = shell(tmp_path / "home", endpoint, "data", "push", "letters", "me/letters")
    assert done.returncode == 0, done.stderr
    assert handler.created[0]["visibility"] == "private"
    assert sorted(handler.files) == ["README.md", "data/test.parquet", "data/train.parquet"]
    assert handler.files["README.md"].decode() == card(prepared)
    (tmp_path / "back.parquet").write_bytes(handler.files["data/train.parquet"])
    assert pq.read_table(tmp_path / "back.parquet").num_rows == 57
    assert not list((tmp_path / "home" / "exports").glob(".push-*"))


def test_a_refused_token_is_one_sentence(tmp_path, prepared, hub):
    handler, endpoint = hub
    handler.refuse = True
    done = shell(tmp_path / "home", endpoint, "data", "push", "letters", "me/letters")
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1].startswith("error: The Hub refused to write")


def test_a_name_the_hub_cannot_have_and_no_hub_are_sentences(prepared):
    with pytest.raises(ConfigError, match="owner/name"):
        push(prepared, "letters")
    with pytest.raises(DataError, match="cannot be reached"):
        push(prepared, "me/letters")
