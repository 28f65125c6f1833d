"""Chat rows read, recognized, checked and prepared, beside stock `datasets` doing the conversion.

    python -m benchmarks.data                 50,000, 200,000 and 800,000 rows, three rounds
    python -m benchmarks.data --rows 20000 --rounds 1

Both arms start from the same JSON Lines file (ShareGPT turns, 2 to 6 a row, about 1.4 kB) and end
with `messages` on disk, split into train and test. `datasets`: `load_dataset` and `map`, one
process, nothing checked. The studio: `read` (format found, every check on, near duplicates among
them) and `DatasetStore.prepare`. Each arm is a process of its own, arms interleaved, medians;
libraries are imported before the clock starts. Ratios are of processor time, which other work on
the machine disturbs less, and of wall time. The first row is what a person waits for. Above 200,000
rows the studio runs alone and once: there the question is whether its memory stays flat.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

AIM = 1.3
COMPARED = 200_000  # rows up to which both arms run


def write_rows(path: Path, count: int) -> None:
    """Chats of made-up words; the same for the same count."""
    chance = random.Random(0)
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["".join(chance.choices(letters, k=chance.randint(2, 9))) for _ in range(5000)]

    def said(least: int, most: int) -> str:
        return " ".join(chance.choices(words, k=chance.randint(least, most))).capitalize() + "."

    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            turns = []
            for _ in range(chance.randint(1, 3)):
                turns.append({"from": "human", "value": said(8, 40)})
                turns.append({"from": "gpt", "value": said(20, 120)})
            file.write(json.dumps({"id": str(number), "conversations": turns}) + "\n")


def with_studio(path: Path, folder: Path) -> dict[str, Any]:
    """The studio's arm, in this process."""
    import datasets  # noqa: F401 - imported before the clock starts, as in the other arm

    from studio.core.workspace import Workspace
    from studio.data import DatasetStore, read

    workspace = Workspace(folder)
    clock = _Clock()
    shown: list[float] = []
    with read(path, folder=workspace.cache, first=lambda _: shown.append(clock.wall())) as reading:
        made = DatasetStore(workspace).prepare(reading)
    return {**clock.stop(), "first": shown[0], "rows": sum(made.rows.values())}


def with_datasets(path: Path, folder: Path) -> dict[str, Any]:
    """The stock arm, in this process."""
    import datasets

    datasets.disable_progress_bars()
    roles = {"human": "user", "gpt": "assistant"}

    def convert(row: dict[str, Any]) -> dict[str, Any]:
        turns = row["conversations"]
        return {"messages": [{"role": roles[t["from"]], "content": t["value"]} for t in turns]}

    clock = _Clock()
    loaded = datasets.load_dataset(
        "json", data_files=str(path), split="train", cache_dir=str(folder)
    )
    first = clock.wall()
    made = loaded.map(convert, remove_columns=loaded.column_names)  # type: ignore[union-attr]
    parts = made.train_test_split(0.05, seed=42)  # type: ignore[union-attr]
    rows = sum(part.num_rows for part in parts.values())
    return {**clock.stop(), "first": first, "rows": rows}


class _Clock:
    """Wall and processor seconds, and the memory a process gained at its peak."""

    def __init__(self) -> None:
        self._peak = _peak()
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def wall(self) -> float:
        return time.perf_counter() - self._wall

    def stop(self) -> dict[str, float]:
        wall, cpu = self.wall(), time.process_time() - self._cpu
        return {"wall": wall, "cpu": cpu, "peak": _peak(), "gained": _peak() - self._peak}


def _peak() -> float:
    """Peak resident memory so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


ARMS = {"studio": with_studio, "datasets": with_datasets}


def run(arm: str, path: Path) -> dict[str, Any]:
    """One arm in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.data", "--arm", arm, "--file", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def compare(count: int, rounds: int, folder: Path) -> None:
    """Print both arms' medians for so many rows, and the ratios."""
    path = folder / f"chat-{count}.jsonl"
    write_rows(path, count)
    arms = list(ARMS) if count <= COMPARED else ["studio"]
    rounds = rounds if count <= COMPARED else 1
    results: dict[str, list[dict[str, Any]]] = {arm: [] for arm in arms}
    for _ in range(rounds):
        for arm in arms:
            results[arm].append(run(arm, path))
    path.unlink()
    middle = {
        arm: {key: statistics.median(r[key] for r in found) for key in found[0]}
        for arm, found in results.items()
    }
    print(f"\n{count:,} rows, median of {rounds}")
    print(f"{'':10} {'wall s':>8} {'cpu s':>8} {'first s':>8} {'peak MB':>8} {'gained':>8}")
    for arm, held in middle.items():
        figures = [f"{held[key]:8.2f}" for key in ("wall", "cpu", "first")]
        print(f"{arm:10} {' '.join(figures)} {held['peak']:8.0f} {held['gained']:8.0f}")
    if "datasets" not in middle:
        return
    ours, theirs = middle["studio"], middle["datasets"]
    ratios = {key: ours[key] / theirs[key] for key in ("wall", "cpu", "peak")}
    print(
        f"ratio      {ratios['wall']:8.2f} {ratios['cpu']:8.2f} {'':8} {ratios['peak']:8.2f}"
        f"   (aim: time at most {AIM})"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[50_000, 200_000, 800_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--arm", choices=ARMS, help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="studio-benchmark-") as name:
        if chosen.arm:
            print(json.dumps(ARMS[chosen.arm](chosen.file, Path(name))))
            return
        for count in chosen.rows:
            compare(count, chosen.rounds, Path(name))


if __name__ == "__main__":
    main()
