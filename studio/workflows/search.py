"""Documents ranked by an embedding run and by its base: for a query, or for all of a held-out set.

Both columns come from one copy of the base. A map lays the vectors of each out in a plane.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from studio.core.errors import ConfigError, DataError
from studio.core.jobs import Job
from studio.data.pair_texts import SCORED, pair_of
from studio.data.rows import tidy
from studio.data.types import RowError
from studio.metrics import retrieval
from studio.metrics.bootstrap import bootstrap_ratio
from studio.runs.store import Run
from studio.workflows import embeddings

if TYPE_CHECKING:
    import torch

    from studio.data.prepared.store import PreparedDataset
    from studio.engine.studio import Studio
    from studio.models.pool import ModelPool

MOST_DOCUMENTS = 5_000
MOST_POINTS = 1_000  # of a map: more cannot be told apart
_TEXT_ONLY = ("language_modeling",)
_COLUMNS = ("base", "tuned")


@dataclass(frozen=True)
class Documents:
    """Texts to search, each once, and where they are from."""

    name: str
    texts: tuple[str, ...]
    left_out: int = 0


def documents_of(studio: Studio, data: str) -> Documents:
    """The documents of a dataset: positives and negatives, answers, or texts; at most 5,000.

    Raises `DataError` for rows that hold none.
    """
    prepared = studio.dataset_for(data)
    texts: dict[str, None] = {}
    for split in prepared.rows:
        for row in prepared.load(split):
            texts |= dict.fromkeys(_documents(tidy(dict(row)), prepared.type))
    found = [text for text in texts if text.strip()]
    if not found:
        raise DataError(f"{prepared.name} holds no documents to search; choose another dataset.")
    return Documents(
        prepared.name, tuple(found[:MOST_DOCUMENTS]), max(0, len(found) - MOST_DOCUMENTS)
    )


def _documents(row: dict[str, Any], type: str) -> list[str]:
    if type in _TEXT_ONLY:
        return [row["text"]]
    try:
        pair = pair_of(row, type)
    except (RowError, KeyError):
        return []
    if type == SCORED:
        return [pair["sentence1"], pair["sentence2"]]
    return [pair["positive"], *pair["negatives"]]


# ---- one query -----------------------------------------------------------------------------------


def search(
    studio: Studio,
    run: Run,
    query: str,
    documents: Documents,
    most: int = 10,
    with_map: bool = False,
) -> Job[dict[str, Any]]:
    """A live job that ranks documents for a query, by the base and by the run, side by side.

    The result has `base` and `tuned`, each a list of {rank, text, similarity, moved}; `moved` is
    how many places a document rose in the tuned ranking over the base's (negative: it fell). With
    a map also `map`, see `_map`.
    """
    embeddings.checked(run)
    if not query.strip():
        raise ConfigError("The query is empty; type what should be found.")
    job: Job[dict[str, Any]] = Job(kind="search")

    def work(pool: ModelPool) -> dict[str, Any]:
        both = _both(studio, run, [query], documents.texts, pool, job)
        base, tuned = ((found @ asked[0]).tolist() for asked, found in both)
        ranked = _ranked(documents.texts, base, tuned, most)
        first = [one["text"] for name in _COLUMNS for one in ranked[name]]
        drawn = {"map": _map([query], documents.texts, both, first)} if with_map else {}
        return _told(run, documents.name, documents.texts) | {"query": query} | ranked | drawn

    return studio.worker.submit(work, job)


def _told(run: Run, data: str, documents: Sequence[str]) -> dict[str, Any]:
    return {"documents": len(documents), "data": data, "run": run.name, "model": run.model}


def _both(
    studio: Studio,
    run: Run,
    queries: Sequence[str],
    documents: Sequence[str],
    pool: ModelPool,
    job: Job[Any],
) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """(queries, documents) of the base and of the run, each (texts, dimensions) at length 1."""
    from torch.nn.functional import normalize

    found: list[tuple[torch.Tensor, torch.Tensor]] = []
    for base in (True, False):
        encoder = embeddings.encoder_of(studio, run, pool, base)
        asked = embeddings.vectors_of(encoder, queries, "query", run, None, job)
        texts = embeddings.vectors_of(encoder, documents, "document", run, None, job)
        found.append((normalize(asked, dim=-1), normalize(texts, dim=-1)))
    return found


def _ranked(
    texts: Sequence[str], base: list[float], tuned: list[float], most: int
) -> dict[str, Any]:
    """The best of both rankings; equal similarities keep the documents' order."""
    orders = [sorted(range(len(texts)), key=lambda at: -scores[at]) for scores in (base, tuned)]
    places = [{at: place for place, at in enumerate(order, 1)} for order in orders]

    def side(which: int, scores: list[float]) -> list[dict[str, Any]]:
        return [
            {
                "rank": place,
                "text": texts[at],
                "similarity": scores[at],
                "moved": places[0][at] - places[1][at],
            }
            for place, at in enumerate(orders[which][:most], 1)
        ]

    return {"base": side(0, base), "tuned": side(1, tuned)}


# ---- the map -------------------------------------------------------------------------------------


def _map(
    queries: Sequence[str],
    documents: Sequence[str],
    both: Sequence[tuple[torch.Tensor, torch.Tensor]],
    first: Sequence[str] = (),
) -> dict[str, Any]:
    """Queries and documents of both columns in a plane, each column by its own PCA.

    `queries` and `documents` are texts, at most 1,000 of the latter, those in `first` among them;
    of each column `queries` and `documents` are the points [x, y] in the same order, and `share`
    says how much of the vectors' variance the plane holds.
    """
    wanted = {*first}
    order = sorted(range(len(documents)), key=lambda at: documents[at] not in wanted)
    kept = sorted(order[:MOST_POINTS])
    found: dict[str, Any] = {
        "queries": list(queries),
        "documents": [documents[at] for at in kept],
        "left_out": len(documents) - len(kept),
    }
    for name, (asked, texts) in zip(_COLUMNS, both, strict=True):
        points, share = plane([*asked.tolist(), *texts[kept].tolist()])
        found[name] = {
            "queries": points[: len(queries)],
            "documents": points[len(queries) :],
            "share": share,
        }
    return found


def plane(vectors: Sequence[Sequence[float]]) -> tuple[list[list[float]], float]:
    """Vectors projected on their two principal components, and the share of variance these hold.

    Signs are scikit-learn's, so that the same vectors give the same plane.
    """
    import numpy as np
    from sklearn.decomposition import PCA

    given = np.asarray(vectors, float)
    count = min(2, *given.shape)
    if count < 1 or not np.ptp(given, axis=0).any():  # one text, or all vectors alike
        return [[0.0, 0.0] for _ in given], 0.0
    fitted = PCA(count, svd_solver="full")
    points = fitted.fit_transform(given)
    points = np.pad(points, ((0, 0), (0, 2 - count)))
    return points.tolist(), float(fitted.explained_variance_ratio_.sum())


# ---- a held-out set ------------------------------------------------------------------------------


def retrieval_of(
    studio: Studio, run: Run, data: str, with_map: bool = False
) -> Job[dict[str, Any]]:
    """A live job that ranks a dataset's documents for each of its held-out queries, by the base
    and by the run.

    Queries, documents and figures are those that a run measures itself by (`encoder_eval`). The
    result has `base` and `tuned`, figures by name with 95 % intervals over queries; `difference`,
    tuned minus base on the same queries; and `each`, a line per query: the place of its best ranked
    right document in both columns, the furthest fallen first. `split` is `train` where the dataset
    holds nothing out. Raises `DataError` for rows without queries.
    """
    embeddings.checked(run)
    prepared = studio.dataset_for(data)
    split = "test" if prepared.rows.get("test") else "train"
    held_out = _pairs(prepared, split)
    if not held_out:
        raise DataError(
            f"{prepared.name} holds no queries with documents that answer them; choose pairs, or "
            "prompts with answers."
        )
    others = _pairs(prepared, "train") if split == "test" else []
    job: Job[dict[str, Any]] = Job(kind="search")

    def work(pool: ModelPool) -> dict[str, Any]:
        from studio.training import encoder_eval

        asked = encoder_eval.questions(cast(Any, held_out), cast(Any, others))
        queries, documents = list(asked.queries.values()), list(asked.documents.values())
        both = _both(studio, run, queries, documents, pool, job)
        right = _right(asked)
        drawn = {"map": _map(queries, documents, both)} if with_map else {}
        told = _told(run, prepared.name, documents) | {"queries": len(queries), "split": split}
        return told | compared(queries, documents, right, both) | drawn

    return studio.worker.submit(work, job)


def _pairs(prepared: PreparedDataset, split: str) -> list[dict[str, Any]]:
    """Rows of a split that have two sides; scored pairs have no right document."""
    if prepared.type == SCORED or prepared.type in _TEXT_ONLY or not prepared.rows.get(split):
        return []
    found: list[dict[str, Any]] = []
    for row in prepared.load(split):
        try:
            found.append(pair_of(tidy(dict(row)), prepared.type))
        except (RowError, KeyError):
            continue
    return found


def _right(asked: Any) -> list[set[int]]:
    """For each query the places of the documents that answer it."""
    place = {name: at for at, name in enumerate(asked.documents)}
    return [{place[name] for name in asked.relevant[query]} for query in asked.queries]


def compared(
    queries: Sequence[str],
    documents: Sequence[str],
    right: Sequence[set[int]],
    both: Sequence[tuple[torch.Tensor, torch.Tensor]],
) -> dict[str, Any]:
    """Figures of both columns, their differences, and a line per query; see `retrieval_of`."""
    columns = [_column(*vectors, right) for vectors in both]
    (firsts, base), (lasts, tuned) = columns
    each = [
        {
            "query": query,
            "document": documents[after[1]],
            "base": before[0],
            "tuned": after[0],
            "moved": before[0] - after[0],
            "similarity": {"base": before[2], "tuned": after[2]},
        }
        for query, before, after in zip(queries, firsts, lasts, strict=True)
    ]
    moves = [one["moved"] for one in each]
    return {
        **{
            name: {key: one.as_dict() for key, one in retrieval.with_intervals(column).items()}
            for name, column in zip(_COLUMNS, (base, tuned), strict=True)
        },
        "difference": _difference(base, tuned),
        "rose": sum(move > 0 for move in moves),
        "fell": sum(move < 0 for move in moves),
        "each": sorted(each, key=lambda one: one["moved"]),
    }


def _column(
    asked: torch.Tensor, found: torch.Tensor, right: Sequence[set[int]]
) -> tuple[list[tuple[int, int, float]], list[dict[str, float]]]:
    """Of each query: (place, document, similarity) of its best ranked right document, figures."""
    scores = asked @ found.T
    orders = scores.argsort(dim=1, descending=True, stable=True).tolist()
    places: list[tuple[int, int, float]] = []
    figures: list[dict[str, float]] = []
    for query, (order, wanted) in enumerate(zip(orders, right, strict=True)):
        place, at = next((place, at) for place, at in enumerate(order, 1) if at in wanted)
        places.append((place, at, float(scores[query, at])))
        figures.append(retrieval.figures(list(map(str, order)), set(map(str, wanted))))
    return places, figures


def _difference(
    base: Sequence[dict[str, float]], tuned: Sequence[dict[str, float]]
) -> dict[str, Any]:
    """Tuned minus base, query by query, with an interval over queries."""
    found: dict[str, Any] = {}
    for name in retrieval.NAMES:
        gains = [new[name] - old[name] for old, new in zip(base, tuned, strict=True)]
        interval = bootstrap_ratio(gains, [1.0] * len(gains))
        if interval is not None:
            found[name] = interval.as_dict()
    return found
