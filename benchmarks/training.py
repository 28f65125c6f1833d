"""Training here beside stock TRL, on this machine: ratios in one run, never seconds alone.

    python -m benchmarks.training [--repeats 5] [--json FILE] [--quick] [ARM ...]

Arms take turns, losses are compared before anything is timed, and a ratio is of medians of non-pad
tokens a processor second (a shared machine's clock says little): making the trainer, scoring the
reference and `trainer.train()`, without loading the model. The base is the built-in model's shape
with a vocabulary of ordinary size and random weights, because the loss head is most of what a small
model costs. The arms with the page, open in Chromium, are by the clock, in processes of their own
(`benchmarks.beside`).
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import statistics
import tempfile
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from datasets import disable_progress_bars

from benchmarks import beside
from benchmarks.training_arms import Arm, Took, base, here, recipe_of, rows, stock, sweep
from studio.models.pool import LoadedModel

_APART = 1e-3  # losses further apart are not the same training


@dataclass(frozen=True)
class Found:
    """One row of the table; `ratio` is how many times faster (or larger a share) ours is."""

    arm: str
    ratio: float | None
    aim: str
    said: str


def compare(name: str, aim: str, ours: Arm, theirs: Arm, repeats: int) -> Found:
    """Losses first, then medians of passes that take turns."""
    mine, other = ours(), theirs()
    apart = max(abs(a - b) for a, b in zip(mine.losses, other.losses, strict=True))
    if apart > _APART:
        return Found(name, None, aim, f"not compared: losses differ by {apart:.1e}")
    speeds: tuple[list[float], list[float]] = ([], [])
    for turn in range(repeats):
        for side in (0, 1) if turn % 2 == 0 else (1, 0):
            took = (ours, theirs)[side]()
            speeds[side].append(mine.tokens / took.seconds)  # the same tokens on both sides
    quick, slow = (statistics.median(found) for found in speeds)
    return Found(
        name,
        quick / slow,
        aim,
        f"{quick:,.0f} to {slow:,.0f} tokens/s, medians of {repeats}, {_spread(*speeds)}, "
        f"losses within {apart:.0e}",
    )


def _spread(*found: list[float]) -> str:
    return "spread " + " and ".join(f"{max(x) / min(x):.2f}" for x in found)


def arms(resident: LoadedModel, count: int, kept: Path) -> list[tuple[str, str, Arm, Arm]]:
    """(name, aim, ours, theirs) of what is timed in this process; few rows where theirs is slow."""
    sft, few, pairs = rows("sft", count), rows("sft", count // 4), rows("dpo", count // 4)
    one, three = recipe_of("sft"), recipe_of("dpo", num_train_epochs=3.0)
    betas = [recipe_of("dpo", beta=b, precompute_ref_log_probs=True) for b in (0.05, 0.1, 0.2, 0.5)]

    def cold() -> Took:
        for path in kept.glob("*.parquet"):  # every sweep begins with nothing kept
            path.unlink()
        return sweep([here(resident, beta, pairs, kept) for beta in betas])()

    return [
        (
            "SFT, TRL's defaults",
            "2x, great 3.5x",
            here(resident, one, sft),
            stock(resident, one, sft),
        ),
        (
            "SFT, every row padded to 512",
            "4x",
            here(resident, one, few),
            stock(resident, one, few, pad_to_multiple_of=512),
        ),
        (
            "DPO, 3 epochs, TRL's defaults",
            "2x, great 3x",
            here(resident, three, pairs),
            stock(resident, three, pairs),
        ),
        (
            "DPO over four betas, four stock runs",
            "1.25x, great 1.6x",
            cold,
            sweep([stock(resident, beta, pairs) for beta in betas]),
        ),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("arms", nargs="*", help="words of the arms to run; all by default")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--rows", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="a file to write the table to as well")
    parser.add_argument("--quick", action="store_true", help="one small turn of each arm")
    options = parser.parse_args()
    if options.quick:
        options.repeats, options.rows = 1, 16
    os.environ["TQDM_DISABLE"] = "1"
    disable_progress_bars()
    warnings.simplefilter("ignore", FutureWarning)  # what TRL's own defaults call forth
    torch.set_num_threads(options.threads)
    about = f"torch {torch.__version__}, {options.threads} threads, {options.rows} rows"
    print(f"{about}, {beside.machine()}", flush=True)
    found: list[Found] = []

    def tell(row: Found) -> None:
        found.append(row)
        ratio = f"{row.ratio:.2f}" if row.ratio is not None else "-"
        print(f"| {row.arm} | {row.aim} | {ratio} | {row.said} |", flush=True)

    print("| arm | aim | ratio | how |\n|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory(prefix="studio-references-") as kept:
        for name, aim, ours, theirs in arms(base(), options.rows, Path(kept)):
            if _wanted(name, options.arms):
                with contextlib.redirect_stdout(io.StringIO()):
                    row = compare(name, aim, ours, theirs, options.repeats)
                tell(row)
    for name, aim, measure in beside.ARMS:
        if _wanted(name, options.arms):
            tell(Found(name, *_ratio(aim, measure(options.repeats, options.quick))))
    if not torch.cuda.is_available():
        tell(Found("GPU: Qwen2-0.5B and TinyLlama shapes", None, "2x", "skipped: no CUDA here"))
    if options.json:
        told = {"machine": beside.machine(), "about": about, "arms": [asdict(row) for row in found]}
        options.json.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


def _ratio(aim: str, measured: tuple[float | None, str]) -> tuple[float | None, str, str]:
    return measured[0], aim, measured[1]


def _wanted(name: str, words: list[str]) -> bool:
    return not words or any(word.lower() in name.lower() for word in words)


if __name__ == "__main__":
    main()
