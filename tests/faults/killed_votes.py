"""`kill -9` of the app again and again while votes stream in, and what was acknowledged and kept.

    python -m tests.faults.killed_votes --kills 200                        SQLite
    python -m tests.faults.killed_votes --kills 200 --database postgresql  needs Debian's package

The app is `python app.py`. Four annotators vote through its HTTP API, as the page does: one request
carries a vote, its answer acknowledges it and brings the next pair. The app is killed at a random
moment and started again; what it left unanswered is sent once more under the same key, as the page
does. A life takes as long as the app needs to start, five to ten seconds on two cores.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from studio.labels import LabelStore, Pair
from tests import postgres
from tests.asking import Asker, panel_of
from tests.preloaded import PreloadedPython
from tests.serving import Server

PEOPLE = ("ada", "ben", "cleo", "dan")
PAIRS_A_KILL = 400


@dataclass(frozen=True)
class Outcome:
    """What happened: acknowledged votes that are missing and submissions that became two votes.

    `unanswered` counts votes whose answer the kill cut off, `repeated` those of them that had been
    written all the same: sent again, they gave the first one's receipt.
    """

    database: str
    kills: int
    acknowledged: int
    unanswered: int
    repeated: int
    stored: int
    lost: int
    doubled: int
    beyond_overlap: int


@contextlib.contextmanager
def database_url(kind: str) -> Iterator[str]:
    """An empty database of this kind that keeps what it acknowledges."""
    if kind == "postgresql":
        with postgres.running(durable=True) as url:
            yield url
        return
    with tempfile.TemporaryDirectory(prefix="studio-kills-") as folder:
        yield f"sqlite:///{folder}/votes.db"


@dataclass
class Person:
    """An annotator who votes until the line is cut, and remembers what was not answered."""

    name: str
    acknowledged: set[int] = field(default_factory=set)
    unanswered: dict[str, Any] | None = None
    cut: int = 0
    repeated: int = 0

    def work(self, ask: Asker, begun: threading.Semaphore) -> None:
        """Send the vote that was cut short once more, then vote on what comes."""
        try:
            standing = self.send(ask, self.unanswered) if self.unanswered else ask("label_open")
            begun.release()
            while (item := standing["item"]) is not None:
                standing = self.send(
                    ask,
                    {
                        "item": item["id"],
                        "turn": item["turn"],
                        "choice": "left",
                        "strength": 2,
                        "seconds": 1.0,
                        "key": f"{self.name}-{item['id']}",
                    },
                )
        except (OSError, http.client.HTTPException, ValueError):  # no whole answer came
            self.cut += 1
        finally:
            begun.release()

    def send(self, ask: Asker, vote: dict[str, Any]) -> dict[str, Any]:
        self.unanswered = vote
        reply = ask("label_vote", **vote)
        self.unanswered = None
        self.acknowledged.add(reply["receipt"]["vote"])
        self.repeated += reply["receipt"]["repeated"]
        return reply


def run(kind: str, kills: int, seed: int = 0, python: PreloadedPython | None = None) -> Outcome:
    """Kill and start again so many times; afterwards compare the record with what was said."""
    draw = random.Random(seed)
    people = [Person(name) for name in PEOPLE]
    with database_url(kind) as url, tempfile.TemporaryDirectory(prefix="studio-kills-") as folder:
        store = LabelStore(url)
        project = store.create_project("kills", order="given", seed=1, overlap=2)
        pairs = [Pair(f"question {n}", f"one {n}", f"two {n}") for n in range(PAIRS_A_KILL * kills)]
        store.add_items(project.id, pairs)
        server = Server(Path(folder), environment={"STUDIO_DATABASE_URL": url}, python=python)
        for _ in range(kills):
            live_once(server, project.id, people, draw.uniform(0.0, 1.0))
        server.start()  # the last cut short are sent once more
        try:
            panel = panel_of(server.port)
            for person in people:
                if person.unanswered:
                    person.send(
                        Asker(server.port, panel, project.id, person.name), person.unanswered
                    )
        finally:
            server.stop()
        judged = list(store.labelled_pairs(project.id))
        store.close()
    rows = [vote for item in judged for vote in item.votes]
    kept = {vote.vote_id for vote in rows}
    acknowledged = set().union(*(person.acknowledged for person in people))
    doubled = len(rows) - len({(vote.item_id, vote.annotator) for vote in rows})
    return Outcome(
        database=kind,
        kills=kills,
        acknowledged=len(acknowledged),
        unanswered=sum(person.cut for person in people),
        repeated=sum(person.repeated for person in people),
        stored=len(rows),
        lost=len(acknowledged - kept),
        doubled=doubled + sum(vote.version > 1 for vote in rows),
        beyond_overlap=sum(len(item.votes) > 2 for item in judged),
    )


def live_once(server: Server, project: str, people: list[Person], seconds: float) -> None:
    """Start the app, let everybody vote, and kill it so many seconds after all have begun."""
    server.start()
    panel = panel_of(server.port)
    begun = threading.Semaphore(0)
    threads = [
        threading.Thread(
            target=person.work, args=(Asker(server.port, panel, project, person.name), begun)
        )
        for person in people
    ]
    for thread in threads:
        thread.start()
    for _ in people:
        begun.acquire(timeout=60)
    time.sleep(seconds)
    server.kill()
    for thread in threads:
        thread.join(60)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    chosen = parser.parse_args()
    started = time.monotonic()
    outcome = run(chosen.database, chosen.kills)
    figures = asdict(outcome) | {"seconds": round(time.monotonic() - started)}
    sys.stdout.write(json.dumps(figures) + "\n")
    sys.exit(1 if outcome.lost or outcome.doubled or outcome.beyond_overlap else 0)


if __name__ == "__main__":
    main()
