"""`kill -9` again and again while votes stream in, and a count of what was acknowledged and kept.

    python -m tests.faults.killed_votes --kills 200                        SQLite
    python -m tests.faults.killed_votes --kills 200 --database postgresql  needs Debian's package

A process of four annotators votes through the store and says each vote's id once the store has
acknowledged it. It is killed at a random moment, and the next one starts on what is left. Every
submission cut short is sent once more under the same key, as the page does.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from studio.preference import Item, LabelStore
from tests import postgres

ROOT = Path(__file__).parents[2]
PEOPLE = ("ada", "ben", "cleo", "dan")
VOTER = """
import sys, threading
from studio.preference import LabelStore
url, project, people = sys.argv[1], sys.argv[2], sys.argv[3].split(",")
store, speak = LabelStore(url), threading.Lock()

def say(*words):
    with speak:
        sys.stdout.write(" ".join(map(str, words)) + "\\n")
        sys.stdout.flush()

def work(name):
    while (shown := store.next_item(project, name)) is not None:
        key = f"{name}-{shown.item_id}"
        say("sent", name, shown.item_id, key)
        receipt = store.vote(project, shown.item_id, name, "left", idempotency_key=key)
        say("kept", receipt.vote_id)

threads = [threading.Thread(target=work, args=(name,)) for name in people]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""


@dataclass(frozen=True)
class Outcome:
    """What happened: acknowledged votes that are missing and submissions that became two votes."""

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


def run(kind: str, kills: int, seed: int = 0) -> Outcome:
    """Kill and start again so many times; afterwards compare the record with what was said."""
    draw = random.Random(seed)
    acknowledged: set[int] = set()
    sent: set[str] = set()
    repeated = unanswered = 0
    with database_url(kind) as url:
        store = LabelStore(url)
        project = store.create_project("kills", order="given", seed=1, overlap=2)
        pairs = [Item(f"question {n}", f"one {n}", f"two {n}") for n in range(60 * kills + 200)]
        store.add_items(project.id, pairs)
        for _ in range(kills):
            said = _one_life(url, project.id, draw.uniform(0.0, 0.25))
            keys = [words for words in said if words[0] == "sent"]
            kept = {int(words[1]) for words in said if words[0] == "kept"}
            sent |= {words[3] for words in keys}
            acknowledged |= kept
            unanswered += len(keys) - len(kept)
            for _, name, item, key in keys[-len(PEOPLE) :]:
                again = store.vote(project.id, int(item), name, "left", idempotency_key=key)
                acknowledged.add(again.vote_id)
                repeated += again.repeated
        rows = [vote for item in store.judged(project.id) for vote in item.votes]
        crowded = sum(len(item.votes) > 2 for item in store.judged(project.id))
        ids = [vote.vote_id for vote in rows]
        store.close()
    lost = len(acknowledged - set(ids))
    doubled = len(rows) - len({(vote.item_id, vote.annotator) for vote in rows})
    doubled += sum(vote.version > 1 for vote in rows)
    counts = (len(acknowledged), unanswered, repeated, len(rows))
    return Outcome(kind, kills, *counts, lost, doubled, crowded)


def _one_life(url: str, project: str, seconds: float) -> list[list[str]]:
    """Start the voters, kill them so long after their first word; everything they said."""
    process = subprocess.Popen(
        [sys.executable, "-c", VOTER, url, project, ",".join(PEOPLE)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout is not None
    first = process.stdout.readline()
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    rest = process.stdout.read()
    process.wait()
    whole = (first + rest).split("\n")[:-1]  # a line cut short was never heard
    return [line.split() for line in whole]


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
