"""Two columns through the studio beside stock transformers: time, first token, memory.

    python -m benchmarks.compare --repeats 9

On the CPU the pocket model and a random one of 100 million parameters; on a CUDA card random ones
of 0.5B and 7B shapes, in bfloat16 and NF4. Arms: `studio` streams base
and tuned together from one copy of the weights; `two` is two sequential `generate` calls of stock
transformers and PEFT on two loaded copies; `one` is the base alone. Answers are checked to be equal
first. Every arm has processes of its own, which take turns; times are medians over them. Memory is
the growth of the resident set over a process that has answered with a tiny model, so that
libraries and thread pools, which both have, are not taken for the model's.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from benchmarks.compare_arms import ON_GPU, Case, arm, cuda, make_random, make_run

ARMS = ("studio", "two", "one")
ROUNDS = 2  # processes an arm


def times(name: str, home: Path, case: Case, repeats: int) -> dict[str, Any]:
    """One arm alone in its process, so that no two pools of OpenMP threads share the cores."""
    each = arm(name, home)
    each.load(case)
    ids = each()["ids"]  # unmeasured: loads, and is compared between the arms
    found = [each() for _ in range(repeats)]
    each.close()
    return {"ids": ids, "wall": [r["wall"] for r in found], "first": [r["first"] for r in found]}


def memory(name: str, home: Path, tiny: Case, case: Case) -> dict[str, Any]:
    """Peak over what the process holds after a tiny model's answers, in bytes.

    The resident set on a CPU, what torch has allocated on a card.
    """
    import torch
    from trl import SFTTrainer  # noqa: F401  (the studio's worker loads it too)

    each = arm(name, home)
    each.load(tiny)
    each()
    if cuda():
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        _answer_twice(each, case)
        return {"growth": torch.cuda.max_memory_allocated() - before}
    before, peak, done = resident(), [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.005):
            peak[0] = max(peak[0], resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    _answer_twice(each, case)
    done.set()
    watcher.join()
    return {"growth": peak[0] - before}


def resident() -> int:
    """Bytes of this process's resident set."""
    import psutil

    return psutil.Process().memory_info().rss


def _answer_twice(each: Any, case: Case) -> None:
    each.load(case)
    each()
    each()
    each.close()


def child(*arguments: str) -> dict[str, Any]:
    """This script in a process of its own; its one line of JSON."""
    command = [sys.executable, "-m", "benchmarks.compare", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    return json.loads(done.stdout.strip().splitlines()[-1])


def measure(label: str, case: Case, tiny: Case, home: Path, repeats: int) -> None:
    """Every arm on one model, and what its figures are as ratios."""
    case, tiny = (
        replace(each, run=child("--make-run", *told(each), "--home", str(home))["run"])
        for each in (case, tiny)
    )
    shared = ("--home", str(home), "--repeats", str(repeats), *told(case))
    wall: dict[str, Any] = {name: [] for name in ARMS}
    first: dict[str, Any] = {name: [] for name in ARMS}
    ids = {}
    for turn in range(ROUNDS):
        for name in ARMS if turn % 2 == 0 else ARMS[::-1]:
            took = child("--times", "--arm", name, *shared)
            wall[name] += took["wall"]
            first[name] += took["first"]
            ids[name] = took["ids"]
    wall = {name: statistics.median(found) for name, found in wall.items()}
    first = {name: statistics.median(found) for name, found in first.items()}
    warm = ("--memory", json.dumps(asdict(tiny)))
    grew = {name: child(*warm, "--arm", name, *shared)["growth"] for name in ARMS}
    equal = ids["studio"] == ids["two"] and ids["one"] == ids["two"][:1]
    lengths = [len(each) for each in ids["two"]]
    print(f"\n{label}: answers of {lengths} tokens, equal to stock: {equal}")
    for name in ARMS:
        print(
            f"  {name:<7} wall {wall[name] * 1000:8.0f} ms   first token "
            f"{first[name] * 1000:6.0f} ms   memory {grew[name] / 1e6:8.0f} MB"
        )
    rows = (
        ("wall / one alone", wall["studio"] / wall["one"], 1.25),
        ("wall / two sequential", wall["studio"] / wall["two"], 0.65),
        ("first token / stock", first["studio"] / first["one"], 1.2),
        ("memory / one model", grew["studio"] / grew["one"], 1.1),
        ("memory / two models", grew["studio"] / grew["two"], None),
    )
    for what, ratio, aim in rows:
        said = f"aim {aim}, {'met' if ratio <= aim else 'missed'}" if aim else ""
        print(f"  {what:<24} {ratio:5.2f}   {said}")


def told(case: Case) -> tuple[str, str]:
    """A case for a child's command line."""
    return "--case", json.dumps(asdict(case))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    for flag in ("--make-run", "--times"):
        parser.add_argument(flag, action="store_true", help=argparse.SUPPRESS)
    for hidden in ("--memory", "--case", "--arm", "--home"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if not given.case:
        return all_of_them(given.repeats)
    home, case = Path(given.home), Case(**json.loads(given.case))
    if given.make_run:
        found: dict[str, Any] = {"run": make_run(home, case)}
    elif given.times:
        found = times(given.arm, home, case, given.repeats)
    else:
        found = memory(given.arm, home, Case(**json.loads(given.memory)), case)
    print(json.dumps(found))


def all_of_them(repeats: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tiny = str(make_random(folder / "tiny", "tiny"))
        cases = [("pocket", "pocket", "float32"), ("100M", "", "float32")]
        cases += [(shape, "", held) for shape, held in ON_GPU if cuda()]
        for shape, model, held in cases:
            model = model or str(folder / shape)
            if model != shape and not Path(model).exists():
                make_random(Path(model), shape)
            label = f"{shape} {held}"
            measure(label, Case(model, held), Case(tiny, held), folder / "home", repeats)
    if not cuda():
        skipped = ", ".join(f"{shape} {held}" for shape, held in ON_GPU)
        print(f"\nNo CUDA card here (24 GB needed): {skipped} are skipped.")


if __name__ == "__main__":
    main()
