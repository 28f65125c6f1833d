"""Ways to score rows for `benchmarks.attribution`: the engine's, BM25, and bergson's."""

from __future__ import annotations

import json
import math
import re
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from studio import Studio
from studio.attribution import build, index_files, question, run_loss
from studio.attribution.request import Asked, Indexing, IndexSpec, default_spec
from studio.core.model_names import resolve
from studio.runs import checkpoints
from studio.runs.store import Run

Scores = NDArray[np.float32]


@dataclass(frozen=True)
class Variant:
    """One way to score rows: how they are indexed, what of a question is differentiated, and
    whether scores are whitened."""

    name: str
    spec: Callable[[Run], IndexSpec]
    measure: question.Measure = question.log_probability
    whitened: bool = False


def _checkpoints(run: Run) -> IndexSpec:
    steps = checkpoints.steps(run.checkpoints)
    return IndexSpec(tuple(steps[:-1][-2:]))


DEFAULT = Variant("default", default_spec, question.log_odds)
VARIANTS = (
    DEFAULT,
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
            vectors = question.vectors([one], indexes, loaded_columns, measure=variant.measure)
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


# ---- bergson -------------------------------------------------------------------------------------

BERGSON = Path(__file__).with_name("attribution_bergson.py")
METHODS = {"bergson, EKFAC": "ekfac", "bergson, Trackstar": "trackstar", "bergson, plain": "plain"}


def bergson(studio: Studio, run: Run, method: str, asked: Sequence[Asked], python: str) -> Scores:
    """[questions, rows]: bergson's scores, from the Python of an environment that has it.

    It reads the run's own tokens and labels, and the tokens of each question's answer.
    """
    with tempfile.TemporaryDirectory(prefix="bergson-") as folder:
        studio.worker.submit(lambda pool: _write_tokens(studio, run, asked, pool, folder)).result()
        newest = checkpoints.newest(run.checkpoints)
        given = {
            "method": METHODS[method],
            "adapter": str(run.adapter),
            "tokenizer": resolve(run.model).location,
            "optimizer": str(newest or ""),
            "rows": f"{folder}/rows.jsonl",
            "questions": f"{folder}/questions.jsonl",
            "out": folder,
        }
        done = subprocess.run(
            [python, str(BERGSON), json.dumps(given)], capture_output=True, text=True, cwd=folder
        )
        if done.returncode:
            raise RuntimeError(f"{method}: {done.stderr.strip()[-2000:]}")
        return np.load(Path(folder) / "scores.npy")


def _write_tokens(studio: Studio, run: Run, asked: Sequence[Asked], pool: Any, folder: str) -> None:
    rows = run_loss.made(run, studio.runs, studio.datasets, pool).rows
    loaded = question.column_of(run, -1, pool, studio.runs)
    questions = []
    for one in asked:
        tokens = question.encoded(one, one.answer, one.span, loaded)
        meant = set(tokens.asked)
        labels = [id if at in meant else -100 for at, id in enumerate(tokens.ids)]
        questions.append({"input_ids": tokens.ids, "labels": labels})
    for name, kept in (("rows", rows), ("questions", questions)):
        lines = [json.dumps({key: row[key] for key in ("input_ids", "labels")}) for row in kept]
        Path(folder, f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")
