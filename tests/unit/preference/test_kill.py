"""SIGKILL while votes stream in: every vote that was acknowledged is there, once."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from studio.preference import LabelStore

ROOT = Path(__file__).parents[3]
VOTER = """
import sys
from studio.preference import LabelStore
store = LabelStore(sys.argv[1])
project = store.get("first answers")
while (shown := store.next_item(project.id, "ada")) is not None:
    key = f"{sys.argv[2]}-{shown.item_id}"
    receipt = store.vote(project.id, shown.item_id, "ada", "left", idempotency_key=key)
    sys.stdout.write(f"{receipt.vote_id}\\n")
    sys.stdout.flush()
"""


def test_no_acknowledged_vote_is_lost_or_doubled(url, store, project, make_items):
    store.add_items(project.id, make_items(2_000, start=10))
    acknowledged = []
    for life, votes_to_live in enumerate((7, 23, 41)):
        process = subprocess.Popen(
            [sys.executable, "-c", VOTER, url, str(life)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        assert process.stdout is not None
        for _ in range(votes_to_live):
            acknowledged.append(int(process.stdout.readline()))
        process.send_signal(signal.SIGKILL)
        # What was written before the kill was acknowledged too, read or not.
        acknowledged += [int(line) for line in process.stdout.read().split("\n")[:-1]]
        process.wait()
    fresh = LabelStore(url)
    kept = [vote.vote_id for vote in fresh.history(project.id, "ada", limit=5_000)]
    fresh.close()
    assert len(acknowledged) >= 71
    assert set(acknowledged) <= set(kept)
    assert len(kept) == len(set(kept)) <= len(acknowledged) + 3
    assert store.progress(project.id, "ada").done == len(kept)
