"""`embed`, `search` and `retrieval`: vectors of texts, and documents found, by an embedding run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from studio.commands.base import Json, OnProgress, Param, Rows, RunName, command, silent, wait_for
from studio.core.errors import ConfigError, DataError

if TYPE_CHECKING:
    from studio.engine.studio import Studio


@command(read_only=True)
def embed(
    studio: Studio,
    *,
    run: RunName,
    text: Annotated[list[str] | None, Param("A text; repeatable.")] = None,
    texts: Annotated[Path | None, Param("A .txt file with one text per line.")] = None,
    side: Annotated[
        Literal["query", "document"], Param("Which of the run's prompts stands before each text.")
    ] = "query",
    base: Annotated[bool, Param("By the run's base instead, pooled alike.")] = False,
    dimensions: Annotated[
        int | None, Param("Cut each vector to its first numbers, as matryoshka_dims allow.", min=1)
    ] = None,
    on_progress: OnProgress = silent,
) -> Json:
    """Turn texts into vectors with an embedding run.

    Texts are cut at the run's max_length. Where the run normalizes, a dot product of two vectors
    is their cosine.
    """
    from studio.workflows import embeddings

    given = [*(_lines(texts) if texts else []), *(text or [])]
    if not given:
        raise ConfigError("There are no texts; give texts (a file) or text.")
    found = studio.runs.get(run)
    job = embeddings.embed(studio, found, given, side, base, dimensions)
    wait_for(job, on_progress, "Loading the model")
    vectors = job.result().vectors
    return {
        "run": found.name,
        "by": "base" if base else "run",
        "dimensions": len(vectors[0]),
        "texts": given,
        "vectors": vectors,
    }


def _lines(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise DataError(f"{path} is not UTF-8 text; save it as UTF-8.") from None
    return [line.strip() for line in lines if line.strip()]


_WithMap = Annotated[
    bool, Param("Also give the vectors of both in a plane, each by its own PCA (--json).")
]


@command(read_only=True)
def search(
    studio: Studio,
    run: RunName,
    *,
    query: Annotated[str, Param("What should be found.")],
    data: Rows,
    limit: Annotated[int, Param("Documents to show.", min=1, max=100)] = 10,
    map: _WithMap = False,
    on_progress: OnProgress = silent,
) -> Json:
    """Rank a dataset's documents for a query, by a run's base and by the run.

    Documents are the positives and negatives of pairs, the answers to prompts, or plain texts.
    """
    from studio.workflows import embeddings
    from studio.workflows import search as searching

    found = embeddings.checked(studio.runs.get(run))
    documents = searching.documents_of(studio, data)
    job = searching.search(studio, found, query, documents, limit, map)
    return wait_for(job, on_progress, "Loading the model")


@command(read_only=True)
def retrieval(
    studio: Studio,
    run: RunName,
    *,
    data: Rows,
    map: _WithMap = False,
    on_progress: OnProgress = silent,
) -> Json:
    """Rank a dataset's documents for each of its held-out queries, by a run's base and by the run.

    Recall, MRR and nDCG of both with 95 % intervals over queries, their differences, and every
    query's place in both rankings: which rose, and which fell. Rows of the test split are the
    queries; of a dataset without one, all rows, and the answer says so.
    """
    from studio.workflows import embeddings
    from studio.workflows import search as searching

    found = embeddings.checked(studio.runs.get(run))
    job = searching.retrieval_of(studio, found, data, map)
    return wait_for(job, on_progress, "Loading the model")
