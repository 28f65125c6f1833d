"""One batch through `generate`: streamed to its cells, cancellable, settings all our own."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import GenerationConfig
from transformers.generation.stopping_criteria import StoppingCriteria, StoppingCriteriaList
from transformers.generation.streamers import BaseStreamer

from studio.core import cards, compat, rope
from studio.core.answers import read
from studio.core.errors import ConfigError
from studio.core.zerogpu import has_gpu
from studio.generation import zerogpu
from studio.generation.column_models import ColumnModel
from studio.generation.request import Generation, Sampling
from studio.models import matrix_products, mixed_adapters, tokenization
from studio.models.loading import device

_REFRESH = 0.08  # seconds between decodes for the page


@dataclass(frozen=True)
class Row:
    """One prompt for one column, as token ids."""

    column: ColumnModel
    prompt: int
    ids: list[int]
    text: str = ""
    """The prompt as rendered: some templates open the thinking at its end."""


def run(
    generation: Generation, rows: list[Row], ends: list[int], cache: Path | None = None
) -> None:
    """Answer rows of one group together; the base's rows and the adapters' in one batch.

    `cache` keeps what was measured on this machine, see `studio.models.matrix_products`.
    """
    rows = sorted(rows, key=lambda row: row.column.adapter or "")  # as `mixing` wants them
    first = rows[0].column
    resident, sampling = first.resident, first.sampling
    longest = max(len(row.ids) for row in rows)
    context = rope.context(resident.model.config) or longest + 10**6
    room = min(sampling.max_new_tokens, context - longest)
    pad = resident.tokenizer.pad_token_id
    padded, mask = tokenization.left_padded([row.ids for row in rows], pad)
    settings: dict[str, Any] = {
        "generation_config": _config(sampling, room, pad, ends, **_cache(rows)),
        "stopping_criteria": StoppingCriteriaList([_Cancelled(generation)]),
    }
    if sampling.stop_strings:
        settings["tokenizer"] = resident.tokenizer

    def answer(to: Any) -> None:  # under ZeroGPU in the process that has the GPU
        where = _moved(rows[-1].column)
        with (
            torch.inference_mode(),
            cards.at(where),
            _seeded(sampling),
            matrix_products.decoding(rows[-1].column.module, len(rows), cache),
            _generate(rows) as generate,
        ):
            generate(
                input_ids=torch.tensor(padded, device=where),
                attention_mask=torch.tensor(mask, device=where),
                streamer=to,
                **settings,
            )

    streamer = _Cells(generation, rows, sampling, {*ends, pad})
    zerogpu.streamed(answer, streamer, lambda: generation.cancelled)
    streamer.close(room)


def _moved(column: ColumnModel) -> torch.device:
    """Where a batch's model is; it is moved first in a process that ZeroGPU lent a GPU to.

    By `Module.to` itself: transformers refuses its own for 8-bit weights, which can move.
    """
    if has_gpu():
        torch.nn.Module.to(column.module, device())
        return device()
    return column.resident.model.device


@contextlib.contextmanager
def _seeded(sampling: Sampling) -> Iterator[None]:
    """A fork of the random state: sampling here must not move a training run's."""
    if not sampling.temperature:
        yield
        return
    with torch.random.fork_rng():
        torch.manual_seed(sampling.seed)
        yield


@contextlib.contextmanager
def _generate(rows: list[Row]) -> Iterator[Callable[..., Any]]:
    """`generate` of the model that answers these rows, each with its column's adapter."""
    last = rows[-1].column  # an adapter's, if there is one
    if last.adapter and last.mixable:
        view = last.resident.adapted(last.adapter)
        with mixed_adapters.generate_with(view, [row.column.adapter for row in rows]) as generate:
            yield generate
    else:
        with last.model() as model:
            yield model.generate


def _cache(rows: list[Row]) -> dict[str, Any]:
    """transformers' settings for a static cache; none for the dynamic one.

    Rows of adapters get layers of their own for one batch (`mixed_adapters`), which would be
    compiled anew for every batch, so those are not. Raises `ConfigError` where a model has none.
    """
    column = rows[-1].column
    if column.sampling.cache_implementation == "dynamic":
        return {}
    if column.prompted:
        raise ConfigError(
            "Virtual tokens stand before this model's prompts, which a static cache has no room "
            "for; leave cache_implementation at dynamic."
        )
    if not compat.takes_static_cache(column.resident.model):
        raise ConfigError(
            "This model keeps a state of its own instead of keys and values, so it has no static "
            "cache; leave cache_implementation at dynamic."
        )
    mixed = bool(column.adapter) and column.mixable
    return {"cache_implementation": "static", "disable_compile": mixed}


def _config(
    sampling: Sampling, room: int, pad: int, ends: list[int], **cache: Any
) -> GenerationConfig:
    """transformers' settings from ours; nothing is inherited from the model's own defaults."""
    settings: dict[str, Any] = {
        **cache,
        "max_new_tokens": room,
        "do_sample": sampling.temperature > 0,
        "repetition_penalty": sampling.repetition_penalty,
        "pad_token_id": pad,
        "eos_token_id": ends,
        "stop_strings": list(sampling.stop_strings) or None,
    }
    if sampling.temperature > 0:
        settings |= {
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "top_k": sampling.top_k,
            "min_p": sampling.min_p or None,
        }
    return GenerationConfig(**settings)


class _Cancelled(StoppingCriteria):
    """Ends every row of the batch at the next token once somebody pressed stop."""

    def __init__(self, generation: Generation):
        self._generation = generation

    def __call__(self, input_ids: torch.Tensor, scores: Any, **kwargs: Any) -> Any:
        return torch.full(
            (input_ids.shape[0],), self._generation.cancelled, device=input_ids.device
        )


class _Cells(BaseStreamer):
    """Gives each new token of the batch to its cell, decoded a few times a second."""

    def __init__(self, generation: Generation, rows: list[Row], sampling: Sampling, ends: set[int]):
        self._generation, self._rows, self._stops = generation, rows, sampling.stop_strings
        self._ends = ends  # the padding that follows a row ended by a stop string ends it too
        self._ids: list[list[int]] = [[] for _ in rows]
        self._ended = [False] * len(rows)
        self._prompt_seen = False
        self._shown = 0.0

    def put(self, value: torch.Tensor) -> None:
        if not self._prompt_seen:  # generate hands the prompt over first
            self._prompt_seen = True
            return
        for row, token in enumerate(value.tolist()):
            if self._ended[row]:
                continue
            if token in self._ends:
                self._ended[row] = True
                self._show(row, "stop")
            else:
                self._ids[row].append(token)
        if time.monotonic() - self._shown > _REFRESH:
            self._shown = time.monotonic()
            for row, ended in enumerate(self._ended):
                if not ended:
                    self._show(row)

    def end(self) -> None:
        """transformers calls this after the last token; `close` says how each row ended."""

    def close(self, room: int) -> None:
        for row, ended in enumerate(self._ended):
            if not ended:
                reason = "length" if len(self._ids[row]) >= room else "stop"
                self._show(row, "cancelled" if self._generation.cancelled else reason)

    def _show(self, row: int, ended: str | None = None) -> None:
        cell, ids = self._rows[row], self._ids[row]
        tokenizer = cell.column.tokenizer
        text = tokenization.written_text(tokenizer, ids)
        cut = min((at for stop in self._stops if (at := text.find(stop)) >= 0), default=None)
        if cut is not None:  # as everywhere, an answer does not hold the string that ended it
            text, ended = text[:cut], "stop" if ended in (None, "length") else ended
        found = read(text, cell.text)
        changes: dict[str, Any] = {
            "text": found.text,
            "reasoning": found.reasoning,
            "thinking": found.cut,
            "tokens": len(ids),
            "ended": ended,
        }
        if found.cut:
            changes["reasoning_tokens"] = len(ids)
        elif ended and found.reasoning:
            thought = tokenization.thinking_tokens(tokenizer, ids, cell.text)
            changes["reasoning_tokens"] = thought
        if ended:
            changes["ids"] = tuple(ids)
        self._generation.put(cell.column.index, cell.prompt, **changes)
