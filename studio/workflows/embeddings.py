"""Vectors of a run's encoder or of its base, on one copy of the base, and OpenAI's form of them."""

from __future__ import annotations

import base64
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from studio.core.errors import ConfigError
from studio.core.jobs import Job
from studio.runs.objectives import OBJECTIVES
from studio.runs.store import Run

if TYPE_CHECKING:
    from studio.engine.studio import Studio
    from studio.models.pool import ModelPool

Side = Literal["query", "document", "plain"]
MOST_TEXTS = 20_000
MOST_INPUTS = 2048  # of one request, as OpenAI has it
_AT_ONCE = 64  # texts between two reports, and between training steps at most


@dataclass(frozen=True)
class Vectors:
    """A vector per text, and the tokens that were read for them."""

    vectors: list[list[float]]
    tokens: int


Embedding = Job[Vectors]
"""A live `embed`."""


def encoders(studio: Studio) -> list[Run]:
    """Finished embedding runs, newest first."""
    return [run for run in studio.runs.list() if is_encoder(run)]


def is_encoder(run: Run) -> bool:
    """Whether a run is an encoder that can be asked."""
    return OBJECTIVES[run.objective].embeds and not run.live and bool(run.adapter or run.weights)


def checked(run: Run) -> Run:
    """The run itself; raises `ConfigError` where it gives no vectors."""
    if not OBJECTIVES[run.objective].embeds:
        raise ConfigError(
            f"{run.name} was trained with {run.objective} and gives no vectors; choose a run with "
            "objective embedding."
        )
    if not is_encoder(run):
        raise ConfigError(f"{run.name} has no weights yet: it is {run.state}. Finish it first.")
    return run


def embed(
    studio: Studio,
    run: Run,
    texts: Sequence[str],
    side: Side = "query",
    base: bool = False,
    dimensions: int | None = None,
) -> Embedding:
    """A live job whose result is a vector per text, by the run's encoder.

    Args:
        side: which of the run's prompts stands before each text; `plain`: none.
        base: by the run's base instead, pooled alike.
        dimensions: cut each vector to so many numbers, scaled to length 1 where the run normalizes.

    Raises `ConfigError` for a run that gives no vectors, and for too many texts.
    """
    checked(run)
    if len(texts) > MOST_TEXTS:
        raise ConfigError(f"{len(texts):,} texts are too many at once; {MOST_TEXTS:,} at most.")
    job: Embedding = Job(kind="embed")

    def work(pool: ModelPool) -> Vectors:
        encoder = encoder_of(studio, run, pool, base)
        found = vectors_of(encoder, texts, side, run, dimensions, job)
        return Vectors(found.tolist(), _tokens(encoder, texts))

    return studio.worker.submit(work, job)


def _tokens(encoder: Any, texts: Sequence[str]) -> int:
    """Tokens that were read, without the prompts."""
    cut = {"truncation": True, "max_length": encoder.max_seq_length}
    return sum(len(encoder.tokenizer(text, **cut)["input_ids"]) for text in texts)


def encoder_of(studio: Studio, run: Run, pool: ModelPool, base: bool) -> Any:
    """The run's encoder, or its base's; for the worker's thread."""
    from studio.models import text_encoder

    if base:
        return text_encoder.base_encoder(run.recipe, pool, studio.runs)
    return text_encoder.run_encoder(run, pool, studio.runs)


def vectors_of(
    encoder: Any, texts: Sequence[str], side: Side, run: Run, dimensions: int | None, job: Job[Any]
) -> Any:
    """(texts, dimensions) float32 on the CPU; raises `Cancelled` where the job is cancelled."""
    import torch

    most = encoder.get_embedding_dimension()
    if dimensions is not None and not 1 <= dimensions <= most:
        raise ConfigError(f"{run.name} gives {most} dimensions; {dimensions} cannot be cut out.")
    encode = {
        "query": encoder.encode_query,
        "document": encoder.encode_document,
        "plain": encoder.encode,
    }[side]
    job.expect(len(texts))
    parts = [torch.zeros(0, dimensions or most)]
    for start in range(0, len(texts), _AT_ONCE):
        part = list(texts[start : start + _AT_ONCE])
        job.step(0, "Embedding")
        found = encode(
            part,
            convert_to_tensor=True,
            show_progress_bar=False,
            truncate_dim=dimensions,
            normalize_embeddings=run.recipe.normalize_embeddings,
        )
        parts.append(found.float().cpu())
        job.step(len(part), "Embedding")
    return torch.cat(parts)


# ---- OpenAI's embeddings -------------------------------------------------------------------------


class EmbeddingRequest(BaseModel):
    """The body of `POST /v1/embeddings`, as far as it is read.

    `input_type` is which of the run's prompts stands before the texts, as other servers have it;
    without it the texts are read as they are.
    """

    model_config = ConfigDict(extra="ignore")

    model: str = Field(max_length=300)
    input: str | list[str] = Field(min_length=1)
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = Field(default=None, ge=1)
    input_type: Literal["query", "document"] | None = None

    @field_validator("input", mode="after")
    @classmethod
    def _so_many(cls, value: str | list[str]) -> str | list[str]:
        if isinstance(value, list) and len(value) > MOST_INPUTS:
            raise ValueError(f"at most {MOST_INPUTS:,} texts in a request")
        return value

    @property
    def texts(self) -> list[str]:
        return [self.input] if isinstance(self.input, str) else self.input


def models(studio: Studio) -> dict[str, str]:
    """Name -> run id of the encoders that can be asked; the newest of several with one name."""
    found: dict[str, str] = {}
    for run in encoders(studio):
        found[run.id if run.name in found else run.name] = run.id
    return found


def reply(asked: EmbeddingRequest, found: Vectors) -> dict[str, Any]:
    """The answer as OpenAI's clients read it."""

    def written(vector: list[float]) -> list[float] | str:
        if asked.encoding_format == "float":
            return vector
        return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()

    data = [
        {"object": "embedding", "index": at, "embedding": written(vector)}
        for at, vector in enumerate(found.vectors)
    ]
    usage = {"prompt_tokens": found.tokens, "total_tokens": found.tokens}
    return {"object": "list", "data": data, "model": asked.model, "usage": usage}
