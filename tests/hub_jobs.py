"""As much of HF Jobs as starting, watching and canceling one job needs, beside the Hub's files."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.hub import StandIn

HARDWARE = [
    {"name": "cpu-basic", "prettyName": "CPU Basic", "cpu": "2 vCPU", "ram": "16 GB"},
    {"name": "t4-small", "gpu": ("T4", "1", "16 GB"), "cost": 0.4},
    {"name": "a10g-small", "gpu": ("A10G", "1", "24 GB"), "cost": 1.0},
    {"name": "l4x4", "gpu": ("L4", "4", "96 GB"), "cost": 3.8},
]


def described(row: dict[str, Any]) -> dict[str, Any]:
    """A row of `HARDWARE` as the Hub tells it; `cost` is dollars an hour."""
    cost = row.get("cost", 0.01) / 60
    told = {"prettyName": row["name"], "cpu": "4 vCPU", "ram": "15 GB", **row}
    told |= {"unitCostMicroUSD": round(cost * 1e6), "unitCostUSD": cost, "unitLabel": "minute"}
    if chip := told.pop("gpu", None):
        names = dict(zip(("model", "quantity", "vram"), chip, strict=True))
        told["accelerator"] = {"type": "gpu", "manufacturer": "Nvidia", **names}
    return told


class Jobs(StandIn):
    """`stage`, `message`, `seconds` and `log` are the job's; `specs` are the jobs asked for.

    `refused` is the status that new jobs are turned away with. `down` drops every connection about
    a job, `looks` counts the others.
    """

    stage = "SCHEDULING"
    message: str | None = None
    seconds = 0
    refused: int | None = None
    down = False
    looks = 0
    log: list[str] = []  # noqa: RUF012
    specs: list[dict[str, Any]] = []  # noqa: RUF012
    cancelled: list[str] = []  # noqa: RUF012

    @classmethod
    def fresh(cls) -> dict[str, Any]:
        return {"log": [], "specs": [], "cancelled": []}

    def do_POST(self):
        if re.fullmatch(r"/api/jobs/\w+", self.path):
            return self.begin()
        if self.path.endswith("/cancel"):
            kind: Any = type(self)
            kind.cancelled.append(self.path.split("/")[-2])
            kind.stage = "CANCELED"
            return self.answer({})
        return super().do_POST()

    def begin(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.refused:
            return self.answer({"error": "made up"}, self.refused)
        self.specs.append(json.loads(body))
        return self.answer(self.told(f"job-{len(self.specs)}"))

    def told(self, identifier: str) -> dict[str, Any]:
        """A job as the Hub tells it."""
        return {
            "id": identifier,
            "owner": {"id": "1", "name": "me", "type": "user"},
            "status": {"stage": self.stage, "message": self.message},
            "durations": {"runningSecs": self.seconds},
        }

    def do_GET(self):
        if self.path.endswith("/api/whoami-v2"):
            return self.answer({"name": "me", "type": "user"})
        if not self.path.startswith("/api/jobs/"):
            return super().do_GET()
        if self.path == "/api/jobs/hardware":
            return self.answer([described(row) for row in HARDWARE])
        if self.down:
            self.close_connection = True
            return self.connection.close()
        kind: Any = type(self)
        kind.looks += 1
        if self.path.split("?")[0].endswith("/logs"):
            return self.stream()
        return self.answer(self.told(self.path.split("/")[-1]))

    def stream(self):
        stamp = "2026-01-01T00:00:00.000Z"
        events = [json.dumps({"data": line, "timestamp": stamp}) for line in self.log]
        body = "".join(f"data: {event}\n\n" for event in events).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
