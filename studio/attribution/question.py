"""The gradient of a question: of an answer, of a part of it, or of one answer over another.

One backward pass on the model as it answers, by the parts that the index was made from. An answer's
gradient is that of its tokens' log-odds (after TRAK, Park et al. 2023): of its log-probability, a
token that the run made all but certain would have next to none. Imports torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from studio.attribution.index_files import SCALES, Index
from studio.attribution.per_row import find_parts, only_graph, row_gradients
from studio.attribution.projection import Projector, unit
from studio.attribution.request import FINAL, Asked
from studio.core import rope
from studio.core.errors import ConfigError, DataError
from studio.data.tokens.token_view import token_texts
from studio.generation import column_models
from studio.generation.column_models import ColumnModel
from studio.generation.request import Column, Sampling
from studio.models import tokenization
from studio.models.pool import ModelPool
from studio.runs.store import Run, RunStore

_MOST = 100
_AT_ONCE = 8
"""Questions between two moments in which others are served."""


@dataclass(frozen=True)
class Tokens:
    """Token ids of a prompt with its answer; `asked` are the places whose tokens are meant."""

    ids: list[int]
    asked: list[int]


Measure = Callable[[Tensor], Tensor]


def log_probability(logps: Tensor) -> Tensor:
    return logps


def log_odds(logps: Tensor) -> Tensor:
    """What has the gradient of log p - log(1 - p) of each token; no token counts more than `_MOST`
    times what it would by its log-probability."""
    return logps / (1 - logps.detach().exp()).clamp(min=1 / _MOST)


def column_of(run: Run, point: int, pool: ModelPool, runs: RunStore) -> ColumnModel:
    """The model of a run at a point, ready to answer."""
    step = None if point == FINAL else point
    planned, wrong = column_models.plans(
        (Column(run.model, run.id, checkpoint=step),), Sampling(), runs
    )
    if wrong:
        raise ConfigError(wrong[0])
    return column_models.ready(planned[0], pool, runs)


def encoded(asked: Asked, answer: str, span: tuple[int, int] | None, loaded: ColumnModel) -> Tokens:
    """A prompt and an answer as the model reads them, and the tokens that are asked about.

    Raises `DataError` where there are none, or more than the model reads.
    """
    context = rope.context(loaded.resident.model.config)
    _, before = tokenization.encode(
        loaded.tokenizer, asked.prompt, asked.raw, context, defaults=loaded.defaults
    )
    tokenization.check_length(answer, context)
    ids = loaded.tokenizer(answer, add_special_tokens=False)["input_ids"]
    if not before or not ids:
        raise DataError("There is nothing to ask about; give a prompt and an answer.")
    if context and len(before) + len(ids) > context:
        raise DataError(
            f"Prompt and answer are {len(before) + len(ids):,} tokens long and this model reads "
            f"{context:,}; shorten them."
        )
    places = _within(token_texts(ids, loaded.tokenizer), span)
    if not places:
        raise DataError("The part that is asked about holds no token of the answer.")
    return Tokens([*before, *ids], [len(before) + at for at in places])


def _within(texts: Sequence[str], span: tuple[int, int] | None) -> list[int]:
    """The tokens that a span of characters touches; all without one.

    >>> _within(["A", " hedge", "hog", "."], (2, 10))
    [1, 2]
    """
    if span is None:
        return list(range(len(texts)))
    found, start = [], 0
    for at, text in enumerate(texts):
        end = start + len(text)
        if start < span[1] and end > span[0] and text:
            found.append(at)
        start = end
    return found


def vectors(
    questions: Sequence[Asked],
    indexes: Sequence[Index],
    loaded_columns: Sequence[ColumnModel],
    told: Callable[[int], None] = lambda done: None,
    measure: Measure = log_odds,
) -> list[Tensor]:
    """The questions' mean gradient at every point of an index: [dims] of unit norm each.

    Args:
        told: hears how many more questions are read, while nothing holds the model; it may raise.
        measure: of each token's log-probability: what is differentiated.
    """
    found = []
    for index, loaded in zip(indexes, loaded_columns, strict=True):
        projector = projector_of(index, loaded.resident.device)
        total = torch.zeros(index.dims)
        for start in range(0, len(questions), _AT_ONCE):
            part = questions[start : start + _AT_ONCE]
            with loaded.model() as model:
                names = list(index.record["parts"])
                trained = find_parts(model, names, loaded.adapter, index.record["hooked"])
                with only_graph(model, trained):
                    each = torch.cat(
                        [_gradient(one, loaded, model, trained, projector, measure) for one in part]
                    )
            total += unit(each)[0].sum(0).cpu()
            told(len(part))
        found.append(unit(total[None])[0][0])
    return found


def projector_of(index: Index, device: torch.device) -> Projector:
    """The projector that an index was made with."""
    scales = None
    if index.record["precondition"]:
        from safetensors.torch import load_file

        scales = load_file(index.folder / SCALES)
    shapes = {name: (int(a), int(b)) for name, (a, b) in index.record["parts"].items()}
    return Projector(shapes, index.dims, int(index.record["seed"]), scales, device)


def _gradient(
    asked: Asked,
    loaded: ColumnModel,
    model: Any,
    trained: Any,
    projector: Projector,
    measure: Measure,
) -> Tensor:
    """[1, dims]: of minus the log-odds of what is asked; of one answer over another, of what the
    first's log-probability has over that of the second."""
    if asked.against is not None:
        measure = log_probability

    def of(answer: str, span: tuple[int, int] | None) -> Tensor:
        sequence = encoded(asked, answer, span, loaded)
        return row_gradients(
            trained, projector, 1, lambda _: -measure(_logps(model, sequence)).sum()
        )

    found = of(asked.answer, asked.span)
    return found if asked.against is None else found - of(asked.against, None)


def _logps(model: Any, sequence: Tokens) -> Tensor:
    ids = torch.tensor([sequence.ids], device=model.device)
    logits = model(input_ids=ids, use_cache=False).logits[0, -len(sequence.ids) :]
    places = torch.tensor(sequence.asked, device=ids.device)
    chosen = logits[places - 1].float().log_softmax(-1)
    return chosen.gather(-1, ids[0, places][:, None])[:, 0]


def likelihoods(asked: Asked, loaded: ColumnModel) -> tuple[float, float]:
    """Mean log-probability of an asked token by the run's model, and by the base."""
    sequence = encoded(asked, asked.answer, asked.span, loaded)
    with torch.inference_mode():
        with loaded.model() as model:
            tuned = float(_logps(model, sequence).mean())
        base = float(_logps(loaded.resident.model, sequence).mean())
    return tuned, base


def scores(indexes: Sequence[Index], questions: Sequence[Tensor]) -> Tensor:
    """The cosine of every row with a question, averaged over the points: [rows] in float32."""
    total = torch.zeros(indexes[0].rows)
    for index, question in zip(indexes, questions, strict=True):
        rows = torch.from_numpy(index.vectors("c"))
        total += torch.mv(rows, question.half()).float()
    return total / len(indexes)
