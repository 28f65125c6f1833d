"""Completions of online objectives: the same probabilities as by `generate`, with less work.

TRL asks the model's `generate` for a batch in which every prompt stands once for each completion of
its group. `quick` answers in its place: each prompt is read once and its keys and values are shared
out to its group; rows that have ended leave the batch; LoRA's layers are settled once a batch; on a
CPU the faster matrix product is taken (see `studio.models.matrix_products`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache, GenerationConfig
from transformers.cache_utils import DynamicLayer
from transformers.generation.logits_process import (
    LogitsProcessorList,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from studio.models import matrix_products, mixed_adapters
from studio.runs.methods import METHODS
from studio.runs.recipe import Recipe

_ENDED = 0.125  # share of a batch that has to have ended before it is made smaller


def fits(recipe: Recipe) -> bool:
    """Whether a run's completions can be sampled here: not beside virtual tokens, which PEFT adds
    to every batch. Online objectives run in one process, so nothing is divided."""
    elsewhere = recipe.use_vllm or recipe.use_transformers_continuous_batching
    beside = METHODS[recipe.method].prompted or recipe.method == "llama_adapter"
    return not (elsewhere or beside)


@contextlib.contextmanager
def quick(model: Any, recipe: Recipe, cache: Path | None) -> Iterator[None]:
    """`model.generate` samples as described above, for calls with ids, mask and config only."""
    stock = model.generate

    def generate(
        input_ids: Tensor, attention_mask: Tensor, generation_config: GenerationConfig, **other: Any
    ) -> Tensor:
        rows = len(input_ids)
        with (
            mixed_adapters.settled(model) as plain,
            matrix_products.decoding(plain, rows, cache, shrinking=True),
        ):
            found = None
            if not other:
                found = sampled(plain, input_ids, attention_mask, generation_config)
        if found is None:
            return stock(
                input_ids=input_ids,
                attention_mask=attention_mask,
                generation_config=generation_config,
                **other,
            )
        return torch.cat([input_ids, found], dim=1)

    model.generate = generate
    try:
        yield
    finally:
        vars(model).pop("generate", None)  # the class's own again


@torch.no_grad()
def sampled(model: Any, ids: Tensor, mask: Tensor, config: GenerationConfig) -> Tensor | None:
    """Completions of left-padded prompts (rows, tokens), padded at the right.

    None for a model whose cache is not keys and values alone: its rows cannot be shared out.
    """
    prompts, which = torch.unique(torch.cat([ids, mask], dim=1), dim=0, return_inverse=True)
    short, shown = prompts.split(ids.shape[1], dim=1)
    out = model(
        input_ids=short,
        attention_mask=shown,
        position_ids=(shown.cumsum(1) - 1).clamp(min=0),
        past_key_values=DynamicCache(config=model.config),
        use_cache=True,
        logits_to_keep=1,
    )
    cache = out.past_key_values
    if not all(isinstance(layer, DynamicLayer) for layer in cache.layers):
        return None
    cache.batch_select_indices(which)
    batch = _Batch(ids, mask, cache, config)
    return batch.finish(model, out.logits[which, -1])


class _Batch:
    """The rows that are still being written, and everything that was."""

    def __init__(self, ids: Tensor, mask: Tensor, cache: Any, config: GenerationConfig):
        length, device = int(config.max_new_tokens or 0), ids.device
        pad = config.pad_token_id
        self.written = torch.full((len(ids), length), pad, dtype=ids.dtype, device=device)  # pyright: ignore[reportArgumentType]
        self.rows = torch.arange(len(ids), device=device)
        self.ended = torch.zeros(len(ids), dtype=torch.bool, device=device)
        self.ids, self.mask, self.cache = ids, mask, cache
        self.positions = mask.sum(1)
        self.ends = torch.tensor(config.eos_token_id, device=device)
        self.change, self.samples = processors(config), bool(config.do_sample)

    def finish(self, model: Any, logits: Tensor) -> Tensor:
        """Write every row to its end; `logits` (rows, vocabulary) are of the first token."""
        length = self.written.shape[1]
        for at in range(length):
            tokens = self._choose(logits)
            alive = ~self.ended
            self.written[self.rows[alive], at] = tokens[alive]
            self.ended |= torch.isin(tokens, self.ends)
            if at + 1 == length or bool(self.ended.all()):
                return self.written[:, : at + 1]
            tokens = self._take(tokens)
            out = model(
                input_ids=tokens[:, None],
                attention_mask=self.mask,
                position_ids=(self.positions - 1)[:, None],
                past_key_values=self.cache,
                use_cache=True,
            )
            logits = out.logits[:, -1]
        return self.written

    def _choose(self, logits: Tensor) -> Tensor:
        scores = self.change(self.ids, logits.to(torch.float32, copy=True))
        if not self.samples:
            return scores.argmax(-1)
        return torch.multinomial(scores.softmax(-1), num_samples=1).squeeze(1)

    def _take(self, tokens: Tensor) -> Tensor:
        """Add one token to each row; leave ended rows out once there are enough of them."""
        self.ids = torch.cat([self.ids, tokens[:, None]], dim=1)
        self.mask = torch.cat([self.mask, self.mask.new_ones((len(tokens), 1))], dim=1)
        self.positions = self.positions + 1
        if self.ended.sum() < _ENDED * len(self.ended) or not self.ended.any():
            return tokens
        kept = (~self.ended).nonzero().squeeze(1)
        self.cache.batch_select_indices(kept)
        self.ids, self.mask, self.positions = self.ids[kept], self.mask[kept], self.positions[kept]
        self.rows, self.ended = self.rows[kept], self.ended[kept]
        return tokens[kept]


def processors(config: GenerationConfig) -> Callable[[Tensor, Tensor], Tensor]:
    """What `generate` does to scores before it samples, in its order."""
    found: Any = LogitsProcessorList()
    if config.repetition_penalty not in (None, 1.0):
        found.append(RepetitionPenaltyLogitsProcessor(config.repetition_penalty))
    if not config.do_sample:
        return found
    if config.temperature not in (None, 1.0):
        found.append(TemperatureLogitsWarper(config.temperature))
    if config.top_k:
        found.append(TopKLogitsWarper(config.top_k))
    if config.top_p is not None and config.top_p < 1.0:
        found.append(TopPLogitsWarper(config.top_p))
    if config.min_p is not None:
        found.append(MinPLogitsWarper(config.min_p))
    return found
