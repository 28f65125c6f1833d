"""How long a vote takes until the next pair is there, with 1, 10 and 50 people labeling at once.

    python -m benchmarks.labeling                 1,000 and 100,000 items on SQLite
    python -m benchmarks.labeling --items 100000 --people 50
    python -m benchmarks.labeling --people 1 --browser     and one person in Chromium, by keyboard

The real labeling panel's server functions behind the real app, asked over loopback HTTP as the
page does: one request carries the vote, its answer the next pair. Every person thinks for
`--think` seconds on average between two votes (exponential), as a quick person would: 50 people
make about 50 votes a second. Flat in the number of items means that the last rows of both tables
are alike. In Chromium, a key press is timed until the next pair is painted, and until the page says
that the vote is safe.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import threading
import time
from pathlib import Path

import psutil

from studio.engine.studio import Studio
from studio.labels import Pair
from tests import chromium
from tests.asking import Asker, panel_of
from tests.serving import Server

CHUNK = 20_000
KEYS = 60  # votes in Chromium
IDLE = 20.0  # per cent of a core

# For every key: milliseconds until another prompt is painted, and until its vote is on disk.
TIME_KEYS = """() => {
  window.painted = []; window.safe = [];
  const [prompt, saved] = ['.lab-prompt', '.lab-saved'].map(name => document.querySelector(name));
  document.addEventListener('keydown', event => {
    const before = prompt.textContent;
    const paint = () => prompt.textContent === before ? requestAnimationFrame(paint)
      : setTimeout(() => window.painted.push(performance.now() - event.timeStamp));
    requestAnimationFrame(paint);
    const answer = new MutationObserver(() => {
      if (saved.dataset.kind !== 'safe') return;
      answer.disconnect();
      window.safe.push(performance.now() - event.timeStamp);
    });
    answer.observe(saved, {attributes: true});
  }, true);
}"""


def label(
    ask: Asker,
    ready: threading.Barrier,
    chosen: argparse.Namespace,
    draw: random.Random,
    taken: list[float],
) -> None:
    """Judge until the time is up; seconds from vote to next pair are added to `taken`."""
    item = ask("label_open")["item"]
    ready.wait()
    until = time.monotonic() + chosen.seconds
    while item is not None:
        time.sleep(draw.expovariate(1 / chosen.think))
        if time.monotonic() > until:
            return
        vote = {"choice": draw.choice(["left", "right"]), "strength": 2, "seconds": 1.0}
        key = f"{draw.getrandbits(96):x}"
        began = time.perf_counter()
        reply = ask("label_vote", item=item["id"], turn=item["turn"], key=key, **vote)
        taken.append(time.perf_counter() - began)
        item = reply["item"]


def fill(home: Path, count: int) -> str:
    """A project of so many items, each for one person; its id."""
    store = Studio(home).labels
    project = store.create_project(f"{count} items", overlap=1, seed=1)
    for start in range(0, count, CHUNK):
        stop = min(start + CHUNK, count)
        one, two = " and so on" * 30, " or else" * 45
        items = [
            Pair(f"question {n}", f"one {n}{one}", f"two {n}{two}") for n in range(start, stop)
        ]
        added = store.add_items(project.id, items)
        assert not added.set_aside, added.set_aside
    store.close()
    return project.id


def start(home: Path) -> Server:
    """The app, up, and done with the libraries that it loads once the page is there."""
    server = Server(home).start()
    assert server.process is not None
    process, until = psutil.Process(server.process.pid), time.monotonic() + 60
    while process.cpu_percent(1.0) > IDLE and time.monotonic() < until:
        pass
    return server


def measure(server: Server, project: str, people: int, chosen: argparse.Namespace) -> str:
    """One row: people, votes a second, milliseconds from vote to next pair, server's memory."""
    panel = panel_of(server.port)
    taken: list[float] = []
    ready = threading.Barrier(people)
    askers = [Asker(server.port, panel, project, f"{people}-{n}") for n in range(people)]
    threads = [
        threading.Thread(target=label, args=(ask, ready, chosen, random.Random(number), taken))
        for number, ask in enumerate(askers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.process is not None
    memory = psutil.Process(server.process.pid).memory_info().rss / 1e6
    middle, late = percentiles(taken)
    return (
        f"{people:>6} {len(taken):>7} {len(taken) / chosen.seconds:>9.1f} {middle * 1e3:>8.0f} "
        f"{late * 1e3:>8.0f} {memory:>8.0f}"
    )


def percentiles(taken: list[float]) -> tuple[float, float]:
    """The 50th and the 95th; zeros where there is too little to say."""
    steps = statistics.quantiles(taken, n=100) if len(taken) > 1 else [0.0] * 99
    return steps[49], steps[94]


def press_keys(server: Server) -> str:
    """Judge `KEYS` pairs by keyboard in Chromium; what the person waits for, in milliseconds."""
    with chromium.visit(server.url) as page:
        page.get_by_role("tab", name="Label", exact=True).first.click()
        page.locator(".lab-prompt").click()
        page.evaluate(TIME_KEYS)
        for voted in range(1, KEYS + 1):
            page.wait_for_timeout(200)
            page.keyboard.press("1" if voted % 2 else "2")
            page.wait_for_function(f"window.painted.length + window.safe.length === {2 * voted}")
        painted, safe = page.evaluate("[window.painted, window.safe]")
    (next_middle, next_late), (safe_middle, safe_late) = percentiles(painted), percentiles(safe)
    return (
        f"in Chromium, {KEYS} keys: next pair painted after {next_middle:.0f} ms (p95 "
        f"{next_late:.0f}), vote safe after {safe_middle:.0f} ms (p95 {safe_late:.0f})"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--items", type=int, nargs="+", default=[1_000, 100_000])
    parser.add_argument("--people", type=int, nargs="+", default=[1, 10, 50])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--think", type=float, default=1.0)
    parser.add_argument("--browser", action="store_true", help="also time keys in Chromium")
    chosen = parser.parse_args()
    for count in chosen.items:
        with tempfile.TemporaryDirectory(prefix="studio-labeling-") as folder:
            home = Path(folder)
            project = fill(home, count)
            server = start(home)
            try:
                print(f"{count:,} items")
                print("people   votes   votes/s   p50 ms   p95 ms   MB rss")
                for people in chosen.people:
                    print(measure(server, project, people, chosen))
                if chosen.browser and count == max(chosen.items):  # the small one is used up
                    print(press_keys(server))
            finally:
                server.stop()


if __name__ == "__main__":
    main()
