"""How an SFT batch is laid out: padded, end to end, or packed rows each with a mask of its own.

TRL lays packed rows end to end, told apart by their positions. Without a kernel for rows of
different lengths (FlashAttention, FlexAttention) a row then attends to itself through one mask over
all tokens of the batch, which grows with their square: 0.5 GB for 8 rows of 2,048 tokens. So such
batches keep their rows, whose masks take an eighth of that, wherever that costs less. Rows that are
not packed go end to end where that is quicker than padding them. The loss is the same to the last
few bits.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Sequence
from typing import Any

from transformers.utils.generic import is_flash_attention_requested

from studio.core import compat
from studio.core.library_types import Trainer
from studio.runs.methods import METHODS
from studio.runs.recipe import Recipe

# Models whose mask keeps rows apart by their positions (transformers' `create_causal_mask`).
_MODELS = {"llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "phi3", "smollm3", "olmo2"}
_LONGEST = 4096  # tokens of a batch with a mask of its own: 64 MB in float32


def has_varlen_kernel(config: Any) -> bool:
    """Whether attention keeps rows of a batch apart without a mask over all of its tokens."""
    return (
        is_flash_attention_requested(config) or compat.attention_kernel(config) == "flex_attention"
    )


def use_padding_free(trainer: Trainer, recipe: Recipe) -> None:
    """Let an SFT trainer lay out its batches the way that takes least; no-op elsewhere."""
    config = trainer.model.config
    varlen = has_varlen_kernel(config)
    if recipe.objective != "sft" or recipe.method == "llama_adapter":
        return
    if recipe.packing:
        if not varlen:  # else TRL's own layout is the right one
            trainer.data_collator = _Layout(trainer.data_collator, config.hidden_size, packed=True)
        return
    if METHODS[recipe.method].prompted or config.model_type not in _MODELS:
        return
    if is_flash_attention_requested(config):
        trainer.data_collator = _Layout(trainer.data_collator, config.hidden_size, varlen=True)
    elif compat.attention_kernel(config) == "sdpa":
        on_cpu = trainer.args.device.type == "cpu"
        trainer.data_collator = _Layout(trainer.data_collator, config.hidden_size, flat=on_cpu)
    elif recipe.shifted_attention:
        trainer.data_collator = _Layout(trainer.data_collator, config.hidden_size, flat=False)


class _Layout:
    """TRL's collator, told batch by batch how to lay its rows out.

    Rows that are not laid end to end keep their `attention_mask`, by which TRL counts tokens, and
    carry `position_ids` where the model needs no mask (see `without_padding_mask`).

    Args:
        width: the model's hidden size.
        varlen: rows end to end cost nothing more.
        flat: rows may go end to end under a mask over the whole batch, where that is quicker.
    """

    def __init__(
        self,
        collator: Any,
        width: int,
        varlen: bool = False,
        packed: bool = False,
        flat: bool = True,
    ):
        self.collator, self.width, self.varlen = collator, width, varlen
        self.packed, self.flat = packed, flat

    def __call__(self, rows: Sequence[Any]) -> Any:
        lengths = [len(row["input_ids"]) for row in rows]
        flat = self.varlen or (self.flat and self._quicker(lengths))
        self.collator.padding_free = flat
        self.collator.return_position_ids = not flat and (self.packed or not self.flat)
        batch = self.collator(rows)
        if self.packed and not flat:  # a document's first token follows from nothing
            batch["labels"][batch["position_ids"] == 0] = -100
        return batch

    def _quicker(self, lengths: Sequence[int]) -> bool:
        """Operations of a layer: about 24 h^2 a token, and 4 h for each token it may look at."""
        flat, padded = sum(lengths), max(lengths) * len(lengths)
        cost = flat * (6 * self.width + flat)
        return flat <= _LONGEST and cost < padded * (6 * self.width + max(lengths))


@contextlib.contextmanager
def without_padding_mask(model: Any) -> Generator[None]:
    """Let rows that carry their positions do without their padding mask, which is right of them.

    No token looks to its right, so the mask changes padding alone, whose labels are ignored; it
    would turn the flash kernel off, and be kept for the backward pass. Packed rows must not have
    it: transformers tells their documents apart by their positions only where there is no mask.
    """

    def drop(module: Any, args: Any, given: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        if given.get("position_ids") is not None:
            given = {name: value for name, value in given.items() if name != "attention_mask"}
        return args, given

    handle = model.register_forward_pre_hook(drop, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()
