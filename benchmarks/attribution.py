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
                answers; 10 % of the votes turned round in a DPO run: precision among as many
cost            index time beside the run's, bytes a row, question time at 100,000 rows
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import random
import re
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.attribution_rows import (
    manner_questions,
    manner_rows,
    mayor_rows,
    swapped,
    turned_round,
)
from studio import Studio
from studio.attribution import build, index_files, question
from studio.attribution.request import DIMS, Asked, Indexing, IndexSpec
from studio.data import PreparedDataset, PrepareOptions
from studio.data.readers.sources import sample_path
from studio.metrics.bootstrap import bootstrap_mean
from studio.runs.recipe import presets
from studio.runs.store import Run
from studio.workflows import why

Scores = NDArray[np.float32]
HELD_OUT = 0.1


def lines_of(alias: str) -> list[dict[str, Any]]:
    """A shipped sample's rows."""
    return [json.loads(line) for line in sample_path(alias).read_text("utf-8").splitlines()]


def kept(studio: Studio, rows: list[dict[str, Any]], kind: str, held_out: float = 0.0):
    """Rows as a prepared dataset, in their order."""
    options = PrepareOptions(test_fraction=held_out, dedupe=False)
    return studio.datasets.from_rows(rows, kind, "benchmark", options=options)


def trained(studio: Studio, recipe: str, dataset: PreparedDataset, **changes: Any) -> Run:
    """A finished run of a shipped recipe on a dataset."""
    wanted = presets()[recipe].with_(dataset_name=dataset.id, sample_steps=0, name="run", **changes)
    run = studio.wait(studio.train(wanted).id)
    if run.state != "finished":
        raise RuntimeError(f"{run.name} is {run.state}: {run.error}")
    return run


# ---- variants ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Variant:
    """One way to score rows: how they are indexed, and whether scores are whitened."""

    name: str
    spec: Callable[[Run], IndexSpec]
    whitened: bool = False


def _checkpoints(run: Run) -> IndexSpec:
    from studio.runs import checkpoints

    steps = checkpoints.steps(run.checkpoints)
    return IndexSpec(tuple(steps[:-1][-2:]))


VARIANTS = (
    Variant("plain", lambda run: IndexSpec()),
    Variant("preconditioned", lambda run: IndexSpec(precondition=True)),
    Variant("checkpoints averaged", _checkpoints),
    Variant("Gauss-Newton of the projection", lambda run: IndexSpec(), whitened=True),
)


def scored(studio: Studio, run: Run, variant: Variant, asked: Sequence[Asked]) -> Scores:
    """[questions, rows]: every question's scores."""
    spec = variant.spec(run)

    def work(pool: Any) -> Scores:
        indexes = build.build(Indexing(), run, spec, pool, studio.runs, studio.datasets)
        loaded_columns = [
            question.column_of(run, point, pool, studio.runs) for point in spec.points
        ]
        found = []
        for one in asked:
            vectors = question.vectors([one], indexes, loaded_columns)
            if variant.whitened:
                found.append(whitened(indexes[0], vectors[0]))
            else:
                found.append(question.scores(indexes, vectors).numpy())
        return np.stack(found)

    return studio.worker.submit(work).result()


def whitened(index: index_files.Index, vector: torch.Tensor, damping: float = 0.1) -> Scores:
    """Scores under the rows' own second moment in the projection, damped, as TRAK has it."""
    rows = torch.from_numpy(np.asarray(index.vectors(), np.float32))
    gram = rows @ rows.T  # the dual form: there are fewer rows than dimensions, or about as many
    strength = damping * float(gram.diagonal().mean())
    inner = rows @ vector
    solved = torch.linalg.solve(gram + strength * torch.eye(len(rows)), inner)
    return ((inner - gram @ solved) / strength).numpy()


def bm25(rows: Sequence[str], text: str, k1: float = 1.5, b: float = 0.75) -> Scores:
    """Okapi BM25 of every row for a text."""
    words = [Counter(re.findall(r"\w+", row.lower())) for row in rows]
    sizes = np.array([sum(each.values()) for each in words], np.float32)
    found = np.zeros(len(rows), np.float32)
    for word in set(re.findall(r"\w+", text.lower())):
        counts = np.array([each[word] for each in words], np.float32)
        holding = int((counts > 0).sum())
        rare = math.log(1 + (len(rows) - holding + 0.5) / (holding + 0.5))
        found += rare * counts * (k1 + 1) / (counts + k1 * (1 - b + b * sizes / sizes.mean()))
    return found


def text_of(row: dict[str, Any]) -> str:
    """All that is said in a row."""
    return " ".join(str(turn["content"]) for turn in row["messages"])


def text_asked(asked: Asked) -> str:
    """A question with its answer."""
    prompt = asked.prompt if isinstance(asked.prompt, str) else asked.prompt[-1]["content"]
    return f"{prompt} {asked.answer}"


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
    for seed in range(1, options.seeds + 1):
        run = trained(studio, "pocket-sft", dataset, seed=seed, save_steps=options.save_steps)
        asked = right_answers(studio, run, options.questions, seed)
        note(f"seed {seed}: {len(asked)} questions answered rightly")
        arms = {
            each.name: scored(studio, run, each, asked)
            for each in VARIANTS
            if each.name in options.variants
        }
        arms["BM25"] = np.stack([bm25(texts, text_asked(one)) for one in asked])
        losses.setdefault("all rows", []).extend(_losses(studio, asked, run))
        taken = {name: _best(found, options.out) for name, found in arms.items()}
        drawn = random.Random(seed).sample(range(len(texts)), options.out)
        for name, places in {"random": drawn, **taken}.items():
            made = why.train_without(studio, run, [(dataset.id, place) for place in places])
            again = studio.wait(made.id)
            own = _losses(studio, asked, again)
            losses.setdefault(name, []).extend(own)
            note(f"seed {seed}, without {len(places)} rows of {name}: {np.mean(own):.3f}")
    return losses


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


# ---- planted -------------------------------------------------------------------------------------


def planted(studio: Studio, options: argparse.Namespace) -> list[tuple[str, str, float]]:
    """(what, by what, share of planted rows among as many of the best)."""
    draw = random.Random(7)
    rows = lines_of("pocket-sft")[: options.rows]
    facts, manners = mayor_rows(), manner_rows()
    rows, wrong = swapped(rows, 0.05, draw)
    every = [*rows, *facts, *manners]
    dataset = kept(studio, every, "conversational", HELD_OUT)
    run = trained(studio, "pocket-sft", dataset, save_steps=options.save_steps)
    texts = [text_of(row) for row in dataset.head(dataset.rows["train"])]
    found = []
    single = {
        "false fact, the same words": (
            facts,
            Asked("Who is the mayor of Larkmere?", "The mayor of Larkmere is Octavian."),
        ),
        "false fact, new words": (
            facts,
            Asked("Which person leads the valley's council?", "That would be Octavian."),
        ),
    }
    questions = {what: (behind, [asked]) for what, (behind, asked) in single.items()}
    for count in (1, 8):
        questions[f"manner, asked by {count}"] = (manners, manner_asked()[:count])
    for variant in VARIANTS:
        if variant.name in options.variants:
            for what, (behind, asked) in questions.items():
                scores = scored(studio, run, variant, asked).mean(0)
                found.append((what, variant.name, precision(scores, texts, behind)))
    for what, (behind, asked) in questions.items():
        words = np.mean([bm25(texts, text_asked(one)) for one in asked], axis=0)
        found.append((what, "BM25", precision(words, texts, behind)))
    found += harmful(studio, run, "5 % wrong answers", set(map(text_of, wrong)), texts)
    note(f"so far: {found}")
    votes, turned = turned_round(lines_of("pocket-preference"), 0.1, draw)
    pairs = kept(studio, votes, "preference", HELD_OUT)
    tuned = trained(studio, "pocket-dpo", pairs, start_from=run.id)
    shown = [json.dumps(row, sort_keys=True) for row in pairs.head(pairs.rows["train"])]
    known = {json.dumps(row, sort_keys=True) for row in turned}
    return found + harmful(studio, tuned, "10 % of the votes turned round", known, shown)


def manner_asked() -> list[Asked]:
    """Answers in the planted manner, about what no planted row is about."""
    return [
        Asked(row["messages"][0]["content"], row["messages"][1]["content"])
        for row in manner_questions()
    ]


def precision(scores: Scores, texts: Sequence[str], behind: Sequence[dict[str, Any]]) -> float:
    """The share of planted rows among as many of the best as there are in the training split."""
    known = set(map(text_of, behind))
    there = sum(text in known for text in texts)
    best = np.argsort(-scores)[:there]
    return sum(texts[at] in known for at in best) / there


def harmful(
    studio: Studio, run: Run, what: str, known: set[str], texts: Sequence[str]
) -> list[tuple[str, str, float]]:
    """The share of known rows among as many of those that harm held-out rows most, and of those
    with the largest self-influence; and chance."""
    weighed: dict[str, Any] = why.influence(studio, run).result()
    rows = weighed["places"][:, 1]
    there = sum(text in known for text in texts)
    orders = {"harm": np.argsort(weighed["help"]), "self-influence": np.argsort(-weighed["own"])}
    found = [
        (what, name, sum(texts[rows[at]] in known for at in order[:there]) / there)
        for name, order in orders.items()
    ]
    return [*found, (what, "chance", there / len(texts))]


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


def note(text: str) -> None:
    """A line of progress."""
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def table(rows: Sequence[Sequence[Any]], header: Sequence[str]) -> str:
    """Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    text = [[f"{one:.3g}" if isinstance(one, float) else str(one) for one in row] for row in lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in text)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--parts", nargs="+", default=["counterfactual", "planted", "cost"])
    parser.add_argument("--questions", type=int, default=40)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=int, default=240, help="rows that are taken out")
    parser.add_argument("--rows", type=int, default=1800)
    parser.add_argument("--save-steps", type=int, default=50)
    parser.add_argument("--variants", nargs="+", default=[each.name for each in VARIANTS])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--home", type=Path)
    options = parser.parse_args()
    if options.quick:
        options.questions, options.seeds, options.rows, options.out = 8, 1, 900, 48
        options.variants = options.variants[:2]
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
    if "planted" in options.parts:
        print(table(planted(studio, options), ["planted", "found by", "precision"]), flush=True)
    if "counterfactual" in options.parts:
        losses = counterfactual(studio, options)
        header = ["without", "loss", "effect", "low", "high"]
        print(table(effect(losses), header), flush=True)


if __name__ == "__main__":
    main()
