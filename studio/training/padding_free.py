"""SFT batches without padding: rows laid end to end, told apart by their positions.

TRL does so for packed rows alone. Nothing is packed here: a step has the rows it would have, so the
loss is the same to the last few bits, and no time goes into padding. Without a kernel for rows of
different lengths a row attends to itself through a mask over all tokens of the batch, whose cost
grows with their square; so each batch is laid out the way that takes fewer operations.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from studio.core import compat
from studio.core.library_types import Trainer
from studio.runs.methods import METHODS
from studio.runs.recipe import Recipe

# Models whose mask keeps rows apart by their positions (transformers' `create_causal_mask`).
_MODELS = {"llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "phi3", "smollm3", "olmo2"}
_VARLEN = ("flash_attention_2", "flash_attention_3")
_LONGEST = 4096  # tokens of a batch with a mask of its own: 64 MB in float32


def use_padding_free(trainer: Trainer, recipe: Recipe) -> None:
    """Let an SFT trainer lay its batches end to end where that is quicker; no-op elsewhere."""
    method = METHODS[recipe.method]
    config = trainer.model.config
    kernel = compat.attention_kernel(config)
    if (
        recipe.objective != "sft"
        or recipe.packing
        or method.prompted
        or recipe.method == "llama_adapter"
        or config.model_type not in _MODELS
    ):
        return
    if kernel in _VARLEN or (kernel == "sdpa" and trainer.args.device.type == "cpu"):
        trainer.data_collator = _Layout(
            trainer.data_collator, config.hidden_size, kernel in _VARLEN
        )


class _Layout:
    """TRL's collator, padded or end to end, batch by batch."""

    def __init__(self, collator: Any, width: int, varlen: bool):
        self.collator, self.width, self.varlen = collator, width, varlen

    def __call__(self, rows: Sequence[Any]) -> Any:
        lengths = [len(row["input_ids"]) for row in rows]
        self.collator.padding_free = self.varlen or self._quicker(lengths)
        return self.collator(rows)

    def _quicker(self, lengths: Sequence[int]) -> bool:
        """Operations of a layer: about 24 h^2 a token, and 4 h for each token it may look at."""
        flat, padded = sum(lengths), max(lengths) * len(lengths)
        cost = flat * (6 * self.width + flat)
        return flat <= _LONGEST and cost < padded * (6 * self.width + max(lengths))
