"""One forward pass a batch: log-probabilities of given tokens under a column. Imports torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from studio.core import cards
from studio.core.device_errors import is_out_of_memory
from studio.generation.column_models import ColumnModel
from studio.models.pool import release_memory

_LOGITS = 1 << 26  # numbers of logits held at once: 256 MB in float32


@dataclass(frozen=True)
class Given:
    """A sequence of token ids; `scored` says which of them are asked about (never the first)."""

    ids: list[int]
    scored: list[bool]


@dataclass
class Read:
    """For every scored token in order: its log-probability, whether it was the first choice, and
    the likeliest tokens in its place with their log-probabilities."""

    logps: list[float] = field(default_factory=list)
    first: list[bool] = field(default_factory=list)
    likeliest: list[list[tuple[int, float]]] = field(default_factory=list)


def read(
    loaded: ColumnModel,
    sequences: Sequence[Given],
    alternatives: int = 0,
    step: Callable[[int], None] = lambda _: None,
) -> list[Read]:
    """Log-probabilities of the scored tokens of every sequence, in batches of like lengths.

    Args:
        alternatives: how many of the likeliest tokens to name at each scored place.
        step: told how many sequences each batch finished; may raise `Cancelled`.
    """
    found = [Read() for _ in sequences]
    order = sorted(range(len(sequences)), key=lambda at: -len(sequences[at].ids))
    vocabulary = int(loaded.resident.model.config.get_text_config().vocab_size)
    where = loaded.resident.model.device
    with torch.inference_mode(), cards.at(where), loaded.model() as model:
        start = 0
        while start < len(order):
            longest = max(1, len(sequences[order[start]].ids))
            count = max(1, min(32, _LOGITS // (longest * vocabulary)))
            part = order[start : start + count]
            for at, result in zip(
                part,
                _halving(model, loaded, [sequences[at] for at in part], alternatives),
                strict=True,
            ):
                found[at] = result
            start += len(part)
            step(len(part))
    return found


def _halving(model: Any, loaded: ColumnModel, part: list[Given], alternatives: int) -> list[Read]:
    """A batch; where memory runs out, its halves."""
    try:
        return _batch(model, loaded, part, alternatives)
    except Exception as error:
        if not is_out_of_memory(error) or len(part) == 1:
            raise
    release_memory()
    middle = len(part) // 2
    first = _halving(model, loaded, part[:middle], alternatives)
    return first + _halving(model, loaded, part[middle:], alternatives)


def _batch(model: Any, loaded: ColumnModel, part: list[Given], alternatives: int) -> list[Read]:
    device = loaded.resident.model.device
    longest = max(len(each.ids) for each in part)
    pad = loaded.resident.tokenizer.pad_token_id
    ids = torch.full((len(part), longest), pad)
    mask = torch.zeros((len(part), longest), dtype=torch.long)
    wanted = torch.zeros((len(part), longest), dtype=torch.bool)
    for row, each in enumerate(part):  # padded on the right: nothing before a token moves
        ids[row, : len(each.ids)] = torch.tensor(each.ids)
        mask[row, : len(each.ids)] = 1
        wanted[row, : len(each.ids)] = torch.tensor(each.scored)
    wanted[:, 0] = False  # nothing comes before it
    ids, mask, wanted = ids.to(device), mask.to(device), wanted.to(device)
    logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits
    logits = logits[:, -longest:][:, :-1]  # prompt methods put virtual tokens in front
    chosen = wanted[:, 1:]
    picked = logits[chosen].float()  # [scored tokens, vocabulary]
    targets = ids[:, 1:][chosen]
    logps = picked.log_softmax(-1)
    own = logps.gather(-1, targets[:, None])[:, 0]
    counts = chosen.sum(1).tolist()
    likeliest: list[list[tuple[int, float]]] = []
    if alternatives:
        top = logps.topk(min(alternatives, logps.shape[-1]), dim=-1)
        likeliest = [
            list(zip(names, values, strict=True))
            for names, values in zip(top.indices.tolist(), top.values.tolist(), strict=True)
        ]
    hits = (picked.argmax(-1) == targets).tolist()
    return _split(own.tolist(), hits, likeliest, counts)


def _split(
    logps: list[float],
    hits: list[bool],
    likeliest: list[list[tuple[int, float]]],
    counts: list[int],
) -> list[Read]:
    found, start = [], 0
    for count in counts:
        part = slice(start, start + count)
        found.append(Read(logps[part], hits[part], likeliest[part]))
        start += count
    return found
