"""What an encoder finds, before and after training: held-out queries among all documents.

Rankings are those of sentence-transformers' `InformationRetrievalEvaluator`; nothing of a batch is
called held out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from studio.core.library_types import TextEncoder, Trainer
from studio.metrics import retrieval
from studio.metrics.bootstrap import Interval
from studio.runs.events import EventLog

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

MOST_QUERIES, MOST_DOCUMENTS = 512, 2048
_BATCH = 64  # texts embedded at once
_BINS = 40  # of a histogram from -1 to 1
_EDGES = np.linspace(-1, 1, _BINS + 1)


@dataclass(frozen=True)
class Questions:
    """Queries by id, documents by id, and which answer which."""

    queries: dict[str, str]
    documents: dict[str, str]
    relevant: dict[str, set[str]]


@dataclass(frozen=True)
class Found:
    """Figures with intervals, and the cosines of three kinds of pairs.

    `right`: a query and its document; `wrong`: a query and the nearest document that is not its;
    `unrelated`: documents taken at random, which says whether all vectors are alike.
    """

    figures: dict[str, Interval]
    queries: int
    documents: int
    right: list[float] = field(default_factory=list)
    wrong: list[float] = field(default_factory=list)
    unrelated: list[float] = field(default_factory=list)

    def as_event(self) -> dict[str, Any]:
        """Figures, and for each kind of pair its mean and a histogram of 40 bins from -1 to 1."""
        kinds = {"right": self.right, "wrong": self.wrong, "unrelated": self.unrelated}
        return {
            "queries": self.queries,
            "documents": self.documents,
            "figures": {name: one.as_dict() for name, one in self.figures.items()},
            "similarity": {name: _histogram(values) for name, values in kinds.items() if values},
        }


def _histogram(values: list[float]) -> dict[str, Any]:
    counts, _ = np.histogram(np.clip(values, -1, 1), bins=_EDGES)
    return {"mean": float(np.mean(values)), "counts": counts.tolist()}


def questions(held_out: Dataset, train: Dataset | None = None) -> Questions:
    """Held-out pairs, their documents among those of the training pairs, texts that are the same
    once."""
    queries: dict[str, str] = {}
    documents: dict[str, str] = {}
    relevant: dict[str, set[str]] = {}
    for row in held_out:
        pair: Mapping[str, Any] = row  # pyright: ignore[reportAssignmentType]
        query = _id(pair["anchor"])
        if query not in queries and len(queries) >= MOST_QUERIES:
            continue
        document = _id(pair["positive"])
        queries[query], documents[document] = pair["anchor"], pair["positive"]
        relevant.setdefault(query, set()).add(document)
    for row in train or ():
        pair = row  # pyright: ignore[reportAssignmentType]
        document = _id(pair["positive"])
        if len(documents) < MOST_DOCUMENTS:
            documents.setdefault(document, pair["positive"])
        query = _id(pair["anchor"])
        if query in relevant and document in documents:
            relevant[query].add(document)
    return Questions(queries, documents, relevant)


def _id(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def search(encoder: TextEncoder, asked: Questions) -> tuple[dict[str, list[str]], Found]:
    """Every query's documents, the nearest first (ten of them), and how good that is."""
    from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator

    seen: dict[str, torch.Tensor] = {}
    ranked: dict[str, list[str]] = {}

    class Keeping(InformationRetrievalEvaluator):
        def embed_inputs(
            self,
            model: Any,
            sentences: Any,
            encode_fn_name: str | None = None,
            prompt_name: str | None = None,
            prompt: str | None = None,
            **rest: Any,
        ) -> Any:
            vectors = super().embed_inputs(
                model, sentences, encode_fn_name, prompt_name, prompt, **rest
            )
            seen[encode_fn_name or ""] = torch.as_tensor(vectors).float().cpu()
            return vectors

        def compute_metrics(self, queries_result_list: list[Any]) -> Any:
            for name, hits in zip(self.queries_ids, queries_result_list, strict=True):
                ranked[name] = [hit["corpus_id"] for hit in hits]
            return super().compute_metrics(queries_result_list)

    depth = [1, retrieval.DEPTH]
    evaluator = Keeping(
        dict(asked.queries),
        dict(asked.documents),
        asked.relevant,
        accuracy_at_k=depth,
        precision_recall_at_k=depth,
        map_at_k=[retrieval.DEPTH],
        batch_size=_BATCH,
        write_csv=False,
    )
    evaluator.store_metrics_in_model_card_data = lambda *given, **named: None
    with torch.random.fork_rng():
        evaluator(encoder)
    each = [retrieval.figures(ranked[name], asked.relevant[name]) for name in evaluator.queries_ids]
    figures = retrieval.with_intervals(each)
    found = Found(figures, len(each), len(asked.documents), *_similarities(asked, seen))
    return ranked, found


def _similarities(
    asked: Questions, seen: dict[str, torch.Tensor]
) -> tuple[list[float], list[float], list[float]]:
    queries = torch.nn.functional.normalize(seen["query"], dim=-1)
    documents = torch.nn.functional.normalize(seen["document"], dim=-1)
    scores = queries @ documents.T
    names = list(asked.documents)
    right: list[float] = []
    wrong: list[float] = []
    for at, query in enumerate(asked.queries):
        mine = torch.tensor([name in asked.relevant[query] for name in names])
        right += scores[at][mine].tolist()
        if not bool(mine.all()):
            wrong.append(float(scores[at][~mine].max()))
    shifted = (documents * documents.roll(1, 0)).sum(-1) if len(documents) > 1 else documents[:0, 0]
    return right, wrong, shifted[: MOST_QUERIES * 2].tolist()


def scored(encoder: TextEncoder, rows: Dataset) -> Found:
    """Spearman's correlation of cosines with the scores of held-out pairs."""
    kept = rows.select(range(min(len(rows), MOST_DOCUMENTS)))
    with torch.random.fork_rng():
        first = _vectors(encoder.encode_query, list(kept["sentence1"]))
        second = _vectors(encoder.encode_document, list(kept["sentence2"]))
    cosines = (first * second).sum(-1).tolist()
    found = retrieval.spearman(cosines, list(kept["score"]))
    figures = {"spearman": found} if found else {}
    unrelated = (second * second.roll(1, 0)).sum(-1).tolist()
    return Found(figures, len(kept), len(kept), right=cosines, unrelated=unrelated)


def _vectors(encode: Any, texts: list[str]) -> torch.Tensor:
    vectors = encode(texts, batch_size=_BATCH, convert_to_tensor=True, show_progress_bar=False)
    return torch.nn.functional.normalize(vectors.float().cpu(), dim=-1)


class Retrieval(TrainerCallback):
    """Measures an encoder before the first step, at every evaluation, and at the end."""

    def __init__(self, trainer: Trainer, events: EventLog, train: Dataset, held_out: Dataset):
        self.trainer, self.events = trainer, events
        self.scored = "score" in held_out.column_names
        self.held_out = held_out
        self.asked = None if self.scored else questions(held_out, train)
        self._last = -1

    def measure(self) -> Found:
        encoder = self.trainer.model
        before = encoder.training
        found = (
            scored(encoder, self.held_out) if self.asked is None else search(encoder, self.asked)[1]
        )
        encoder.train(before)
        return found

    def _write(self, state: TrainerState) -> None:
        if self._last == state.global_step:
            return
        self._last = state.global_step
        found = self.measure()
        self.events.write("retrieval", step=state.global_step, **found.as_event())
        self.trainer.log({f"eval_{name}": one.value for name, one in found.figures.items()})

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if state.global_step == 0:
            self._write(state)

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._write(state)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if args.load_best_model_at_end:
            self._last = -1  # the weights are the best checkpoint's now
        if not control.should_training_stop or state.global_step >= state.max_steps:
            self._write(state)


def add(
    trainer: Trainer, events: EventLog, train: Dataset, held_out: Dataset | DatasetDict | None
) -> None:
    """Let a run measure what it finds; without held-out pairs it says that it does not."""
    rows = _together(held_out)
    if rows is None or not len(rows):
        events.write(
            "note",
            message="No pairs are held out, so nothing is measured but the loss. Prepare the data "
            "with a test split.",
        )
        return
    trainer.add_callback(Retrieval(trainer, events, train, rows))


def _together(held_out: Dataset | DatasetDict | None) -> Dataset | None:
    if not isinstance(held_out, dict):
        return held_out
    from datasets import concatenate_datasets

    return concatenate_datasets(list(held_out.values()))
