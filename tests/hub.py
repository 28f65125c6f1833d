"""As much of the Hugging Face Hub as uploads and downloads of small files need, on this machine."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]


class StandIn(BaseHTTPRequestHandler):
    """Keeps what it is sent in `files`; `refuse` turns every write away, `wrong` a few answers."""

    files: dict[str, bytes] = {}  # noqa: RUF012
    large: dict[str, bytes] = {}  # noqa: RUF012  (weights, by digest, whether or not in a commit)
    sent: list[str] = []  # noqa: RUF012  (digests of weights, each time one was sent)
    private = True
    created: list[dict] = []  # noqa: RUF012
    refuse = False
    wrong: list[int | None] = []  # noqa: RUF012  (statuses for commits and looks, None to hang up)
    seen: list[str] = []  # noqa: RUF012  (tokens sent)

    @classmethod
    def fresh(cls) -> dict[str, Any]:
        """What each stand-in of this kind has of its own, beside the above."""
        return {}

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
            return self.answer(
                {
                    "files": [
                        {
                            "path": f["path"],
                            "oid": None,
                            "shouldIgnore": False,
                            "uploadMode": "lfs"
                            if f["path"].endswith(".safetensors")
                            else "regular",
                        }
                        for f in asked
                    ]
                }
            )
        if self.path.endswith("/info/lfs/objects/batch"):
            asked = json.loads(body)["objects"]
            return self.answer({"transfer": "basic", "objects": [self.place(one) for one in asked]})
        if "/commit/" in self.path:
            if self.spoil():
                return None
            for line in body.splitlines():
                held = json.loads(line)
                if held["key"] == "file":
                    value = held["value"]
                    self.files[value["path"]] = base64.b64decode(value["content"])
                if held["key"] == "deletedFolder":
                    gone = held["value"]["path"]
                    for name in [name for name in self.files if name.startswith(gone)]:
                        del self.files[name]
                if held["key"] == "lfsFile":
                    self.files[held["value"]["path"]] = self.large[held["value"]["oid"]]
            return self.answer(
                {"commitUrl": f"{self.here()}/datasets/me/letters/commit/1", "commitOid": "1"}
            )
        return self.answer({})

    def place(self, one):
        """Where a large file goes; nowhere if it is here already."""
        if one["oid"] in self.large:
            return one
        return {**one, "actions": {"upload": {"href": f"{self.here()}/large/{one['oid']}"}}}

    def do_PUT(self):
        digest = self.path.removeprefix("/large/")
        self.sent.append(digest)
        self.large[digest] = self.rfile.read(int(self.headers["Content-Length"]))
        self.answer({})

    def do_GET(self):
        if "/resolve/" in self.path:
            return self.file(with_body=True)
        if "/tree/" in self.path:
            place, _, how = self.path.split("/tree/")[1].partition("?")
            return self.answer(
                self.entries(place.partition("/")[2], "recursive=true" in how.lower())
            )
        if "/revision/" in self.path and self.spoil():
            return None
        siblings = [{"rfilename": name, "size": len(body)} for name, body in self.files.items()]
        told = {"sha": "1" * 40, "id": "me/letters", "private": self.private}
        told["cardData"] = {"license": "cc-by-4.0"}
        return self.answer({**told, "siblings": siblings})

    def entries(self, folder, recursive):
        """What lies in a folder: its files and folders, or the files of all its folders."""
        under = f"{folder}/" if folder else ""
        inner = {name.removeprefix(under) for name in self.files if name.startswith(under)}
        folders = {name.split("/")[0] for name in inner if "/" in name and not recursive}
        return [
            {"type": "directory", "path": under + name, "oid": "0" * 40} for name in folders
        ] + [
            {
                "type": "file",
                "path": under + name,
                "oid": "0" * 40,
                "size": len(self.files[under + name]),
            }
            for name in sorted(inner)
            if recursive or "/" not in name
        ]

    def do_HEAD(self):
        self.file(with_body=False)

    def file(self, with_body):
        content = self.files.get(self.path.split("?")[0].split("/resolve/")[1].partition("/")[2])
        if content is None:
            return self.answer({"error": "no such file"}, 404)
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", "1" * 40)
        self.end_headers()
        if with_body:
            self.wfile.write(content)

    def answer(self, value, status=200):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def standing_in(kind: type[StandIn] = StandIn) -> Iterator[tuple[type[StandIn], str]]:
    """A stand-in of its own: what it holds, and its address."""
    fresh = {"files": {}, "large": {}, "sent": [], "created": [], "wrong": [], "seen": []}
    handler = type("Hub", (kind,), {**fresh, **kind.fresh()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield handler, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def pointing(endpoint: str) -> dict[str, str]:
    """Settings by which the Hub's client goes to a stand-in, with a token."""
    return {
        "HF_ENDPOINT": endpoint,
        "HF_HUB_OFFLINE": "0",
        "HF_TOKEN": "hf_made_up",
        "HF_HUB_DISABLE_XET": "1",
    }


@contextlib.contextmanager
def pointing_here(
    monkeypatch: pytest.MonkeyPatch, cache: Path, kind: type[StandIn] = StandIn
) -> Iterator[Any]:
    """A stand-in that this process's own client goes to, with a cache of its own."""
    from huggingface_hub import constants

    with standing_in(kind) as (held, address):
        for name, value in (
            ("ENDPOINT", address),
            ("HF_HUB_OFFLINE", False),
            ("HF_HUB_DISABLE_XET", True),
            ("HF_HUB_CACHE", str(cache)),
            ("HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}"),
        ):
            monkeypatch.setattr(constants, name, value)
        monkeypatch.setenv("HF_TOKEN", "hf_made_up")
        yield held


def shell(home, endpoint, *words):
    """A command of the studio's, with this stand-in for the Hub."""
    environment = {**os.environ, "STUDIO_HOME": str(home), **pointing(endpoint)}
    command = [sys.executable, "-m", "studio", *words]
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120
    )
