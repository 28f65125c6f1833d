"""As much of the Hugging Face Hub as uploads and downloads of small files need, on this machine."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class StandIn(BaseHTTPRequestHandler):
    """Keeps what it is sent in `files`; `refuse` turns every write away."""

    files: dict[str, bytes] = {}  # noqa: RUF012
    created: list[dict] = []  # noqa: RUF012
    refuse = False

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
            for line in body.splitlines():
                held = json.loads(line)
                if held["key"] == "file":
                    value = held["value"]
                    self.files[value["path"]] = base64.b64decode(value["content"])
            return self.answer(
                {"commitUrl": f"{self.here()}/datasets/me/letters/commit/1", "commitOid": "1"}
            )
        return self.answer({})

    def do_GET(self):
        if "/resolve/" in self.path:
            return self.file(with_body=True)
        if "/tree/" in self.path:
            return self.answer([
                {"type": "file", "path": name, "oid": "0" * 40, "size": len(content)}
                for name, content in self.files.items()
            ])  # fmt: skip
        siblings = [{"rfilename": name} for name in self.files]
        return self.answer({"sha": "1" * 40, "id": "me/letters", "siblings": siblings})

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
def standing_in() -> Iterator[tuple[type[StandIn], str]]:
    """A stand-in of its own: what it holds, and its address."""
    handler = type("Hub", (StandIn,), {"files": {}, "created": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield handler, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
