"""Everything at once: a run in training, votes, visitors who ask, uploads and a scorer's job.

    python -m benchmarks.load            200 people, a million items, 10 visitors: ten minutes
    python -m benchmarks.load --small    a few of each, to see that it works: a minute

The real app, asked over loopback HTTP as the page does: votes through the labeling panel's server
functions, answers through the queue and its stream of events, files through the upload, the run and
the scorer through the API. Votes, answers and the run are each measured alone first, and then all
of it together with the uploads and the scorer. People think between votes (`--think`), visitors
between questions. What is printed are ratios of one machine in one run: compare them, not the
milliseconds.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.labeling import fill, percentiles
from benchmarks.labeling import start as start_app
from tests.asking import Asker, panel_of
from tests.serving import Server

_API = "/gradio_api"
_TOKEN = re.compile(r">\d[\d,]* tokens?\b")  # what the page says under an answer once it has begun
QUESTIONS = ("Where does Mira live?", "What does Mira eat?", "Who is the baker?")


@dataclass(frozen=True)
class Size:
    """How much of everything; `seconds` is the length of each part."""

    people: int
    items: int
    visitors: int
    seconds: float
    think: float


FULL = Size(people=200, items=1_000_000, visitors=10, seconds=90.0, think=4.0)
SMALL = Size(people=4, items=400, visitors=2, seconds=8.0, think=0.3)


@dataclass
class Seen:
    """What one part of the load saw: seconds a vote, seconds to first tokens, and what failed."""

    votes: list[float] = field(default_factory=list)
    tokens: list[float] = field(default_factory=list)
    uploads: int = 0
    scored: int = 0
    steps: float = 0.0
    memory: list[tuple[float, float]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @property
    def slope(self) -> float:
        """Growth of the server's memory in MB a minute, by least squares over the second half."""
        half = self.memory[len(self.memory) // 2 :]
        if len(half) < 3:
            return 0.0
        at, held = np.array(half).T
        return float(np.polyfit(at / 60, held, 1)[0])


# ---- asking the app -----------------------------------------------------------------------------


def post(port: int, path: str, body: Any, kind: str = "application/json") -> Any:
    """The JSON answer to a request; `RuntimeError` with the app's words for a refusal."""
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    try:
        sent = body if isinstance(body, bytes) else json.dumps(body)
        line.request("POST", f"{_API}/{path}", sent, {"Content-Type": kind})
        answer = line.getresponse()
        text = answer.read().decode()
    finally:
        line.close()
    if answer.status != 200:
        raise RuntimeError(f"{path}: {answer.status} {text[:200]}")
    return json.loads(text)


class Api:
    """The app's endpoints by name, as docs/api.md has them; and its page's handlers."""

    def __init__(self, port: int):
        self.port = port
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        line.request("GET", "/config")
        self.config = json.loads(line.getresponse().read())
        line.request("GET", f"{_API}/info")
        self.info = json.loads(line.getresponse().read())["named_endpoints"]
        line.close()

    def __call__(self, name: str, **values: Any) -> Any:
        takes = self.info[f"/{name}"]["parameters"]
        data = [values.get(one["parameter_name"], one.get("parameter_default")) for one in takes]
        return post(self.port, f"run/{name}", {"data": data})["data"][0]

    def chat(self) -> tuple[int, list[Any], int]:
        """(the Send button's handler, what its widgets hold, the place of the prompt)."""
        parts = {one["id"]: one for one in self.config["components"]}
        names = {one["props"].get("elem_id"): one["id"] for one in parts.values()}
        send = [names["chat-send"], "click"]
        handler = next(
            one
            for one in self.config["dependencies"]
            if send in one["targets"] and names["chat-prompt"] in one["inputs"]
        )
        held = [parts[one]["props"].get("value") for one in handler["inputs"]]
        return handler["id"], held, handler["inputs"].index(names["chat-prompt"])


def first_token(port: int, chat: tuple[int, list[Any], int], draw: random.Random) -> float:
    """Seconds from Send until the page shows the first token; reads the answer to its end."""
    handler, held, prompt = chat
    data = [*held]
    data[prompt] = draw.choice(QUESTIONS)
    session = f"{draw.getrandbits(64):x}"
    began, first = time.perf_counter(), None
    post(port, "queue/join", {"fn_index": handler, "session_hash": session, "data": data})
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    try:
        line.request("GET", f"{_API}/queue/data?session_hash={session}")
        for event in line.getresponse():
            text = event.decode(errors="replace")
            if first is None and _TOKEN.search(text):
                first = time.perf_counter() - began
            if '"process_completed"' in text:
                if first is None or '"success":false' in text:
                    raise RuntimeError(f"no answer: {text[:200]}")
                return first
    finally:
        line.close()
    raise RuntimeError("the stream ended before the answer did")


# ---- the load -----------------------------------------------------------------------------------


class Load:
    """One app under load; every `with` part runs until it ends."""

    def __init__(self, server: Server, project: str, size: Size):
        self.server, self.project, self.size = server, project, size
        self.api = Api(server.port)
        self.panel, self.chat = panel_of(server.port), self.api.chat()
        self.round = 0

    def measured(self, *works: Callable[[Seen, threading.Event, int], None]) -> Seen:
        """Run these together for the length of a part."""
        seen, over = Seen(), threading.Event()
        self.round += 1
        threads = [
            threading.Thread(target=self._guarded, args=(work, seen, over, number), daemon=True)
            for work in works
            for number in range(self._count(work))
        ]
        for thread in threads:
            thread.start()
        assert self.server.process is not None
        process = psutil.Process(self.server.process.pid)
        until, began = time.monotonic() + self.size.seconds, time.monotonic()
        while time.monotonic() < until:
            time.sleep(0.5)
            held = process.memory_info().rss / 1e6
            seen.memory.append((time.monotonic() - began, held))
        over.set()
        for thread in threads:
            thread.join(300)
        return seen

    def _count(self, work: Callable[..., None]) -> int:
        counts = {"vote": self.size.people, "ask": self.size.visitors}
        return counts.get(work.__name__, 1)

    def _guarded(
        self, work: Callable[..., None], seen: Seen, over: threading.Event, number: int
    ) -> None:
        try:
            work(seen, over, number)
        except (OSError, http.client.HTTPException, RuntimeError, ValueError, KeyError) as error:
            seen.errors.append(f"{work.__name__}: {type(error).__name__} {error}"[:300])

    def vote(self, seen: Seen, over: threading.Event, number: int) -> None:
        """One person: a vote, the next pair, a thought."""
        draw = random.Random(1000 * self.round + number)
        name = f"person-{self.round}-{number}"
        ask = Asker(self.server.port, self.panel, self.project, name)
        item = ask("label_open")["item"]
        while item is not None and not over.wait(draw.expovariate(1 / self.size.think)):
            vote = {"choice": draw.choice(["left", "right"]), "strength": 2, "seconds": 1.0}
            key, began = f"{draw.getrandbits(96):x}", time.perf_counter()
            reply = ask("label_vote", item=item["id"], turn=item["turn"], key=key, **vote)
            seen.votes.append(time.perf_counter() - began)
            item = reply["item"]

    def ask(self, seen: Seen, over: threading.Event, number: int) -> None:
        """One visitor of Compare: a question, its streamed answer, a thought."""
        draw = random.Random(2000 * self.round + number)
        while not over.wait(draw.expovariate(1 / self.size.think)):
            seen.tokens.append(first_token(self.server.port, self.chat, draw))

    def upload(self, seen: Seen, over: threading.Event, number: int) -> None:
        """A file of a megabyte every few seconds."""
        row = json.dumps({"instruction": "Name a thing", "output": "A thing"}) + "\n"
        file = row * ((1 << 20) // len(row))
        head = '--B\r\nContent-Disposition: form-data; name="files"; filename="rows.jsonl"\r\n\r\n'
        body = f"{head}{file}\r\n--B--\r\n".encode()
        while not over.wait(2.0):
            post(self.server.port, "upload", body, "multipart/form-data; boundary=B")
            seen.uploads += 1

    def score(self, seen: Seen, over: threading.Event, number: int) -> None:
        """A scorer's job, again and again."""
        while not over.is_set():
            self.api("score", run=["load-short"], data="pocket-sft", limit=8, max_new_tokens=16)
            seen.scored += 1

    @contextmanager
    def training(self) -> Iterator[Path]:
        """A run in training while the block lasts; its record."""
        settings = {"name": f"load-{self.round}", "max_steps": 1_000_000, "save_steps": 500}
        run = self.api("train", recipe="pocket-sft", set=settings)
        record = self.server.home / "runs" / run["id"] / "run.json"
        try:
            self._until(lambda: step(record) > 2)
            yield record
        finally:
            self.api("runs_stop", run=run["id"])
            self._until(lambda: json.loads(record.read_text())["state"] in ("stopped", "finished"))

    def short_run(self) -> None:
        """What the scorer scores, and what visitors compare."""
        settings = {"name": "load-short", "max_steps": 5}
        run = self.api("train", recipe="pocket-sft", set=settings)
        record = self.server.home / "runs" / run["id"] / "run.json"
        self._until(lambda: json.loads(record.read_text())["state"] == "finished")

    @staticmethod
    def _until(done: Callable[[], bool], within: float = 300.0) -> None:
        until = time.monotonic() + within
        while not done():
            if time.monotonic() > until:
                raise RuntimeError("the run did not get there in time")
            time.sleep(0.2)


def step(record: Path) -> int:
    """The step a run has reached, by its record."""
    return int(json.loads(record.read_text(encoding="utf-8")).get("step") or 0)


def paced(load: Load, record: Path, *works: Callable[[Seen, threading.Event, int], None]) -> Seen:
    """`measured`, with the run's steps a second."""
    began, first = time.monotonic(), step(record)
    seen = load.measured(*works)
    seen.steps = (step(record) - first) / (time.monotonic() - began)
    return seen


# ---- what came of it ----------------------------------------------------------------------------


def table(alone: Seen, together: Seen, people: int, visitors: int) -> str:
    """Each figure alone and with everything, and their ratio."""
    rows = [f"{'':34}{'alone':>9}{'together':>10}{'ratio':>8}"]
    for name, one, other in (
        (f"votes of {people}: p50 ms", *_ms(alone.votes, together.votes, 0)),
        (f"votes of {people}: p95 ms", *_ms(alone.votes, together.votes, 1)),
        (f"first token of {visitors}: p50 ms", *_ms(alone.tokens, together.tokens, 0)),
        (f"first token of {visitors}: p95 ms", *_ms(alone.tokens, together.tokens, 1)),
        ("steps a second of the run", alone.steps, together.steps),
    ):
        ratio = f"{other / one:.2f}" if one else "-"
        rows.append(f"{name:34}{one:>9.1f}{other:>10.1f}{ratio:>8}")
    rows += [
        f"{len(together.votes):,} votes, {len(together.tokens):,} answers, {together.uploads} "
        f"uploads and {together.scored} scorer's jobs together",
        f"memory: {together.memory[-1][1]:,.0f} MB, {together.slope:+.1f} MB a minute",
        f"errors: {len(alone.errors)} alone, {len(together.errors)} together",
        *sorted({*alone.errors, *together.errors})[:5],
    ]
    return "\n".join(rows)


def _ms(one: list[float], other: list[float], which: int) -> tuple[float, float]:
    return percentiles(one)[which] * 1e3, percentiles(other)[which] * 1e3


def run(size: Size, home: Path) -> tuple[Seen, Seen]:
    """(each part alone, all of them together)."""
    project = fill(home, size.items)
    server = start_app(home)
    try:
        load = Load(server, project, size)
        load.short_run()
        load.api = Api(server.port)  # the page now offers the run
        load.chat = load.api.chat()
        first_token(server.port, load.chat, random.Random(0))  # loads the model
        votes, asked = load.measured(load.vote), load.measured(load.ask)
        with load.training() as record:
            alone = paced(load, record)
        alone.votes, alone.tokens = votes.votes, asked.tokens
        alone.errors = [*votes.errors, *asked.errors]
        with load.training() as record:
            works = (load.vote, load.ask, load.upload, load.score)
            together = paced(load, record, *works)
        return alone, together
    finally:
        server.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--small", action="store_true", help="a few of each")
    for name in ("people", "items", "visitors"):
        parser.add_argument(f"--{name}", type=int)
    for name in ("seconds", "think"):
        parser.add_argument(f"--{name}", type=float)
    given = vars(parser.parse_args())
    usual = vars(SMALL if given.pop("small") else FULL)
    size = Size(**{name: given[name] or usual[name] for name in usual})
    with tempfile.TemporaryDirectory(prefix="studio-load-") as folder:
        print(table(*run(size, Path(folder)), size.people, size.visitors))


if __name__ == "__main__":
    main()
