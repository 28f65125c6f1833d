"""A model's tokenizer as a function that counts a text's tokens."""

from __future__ import annotations

from collections.abc import Callable

from studio.core.model_names import resolve


def counter(model: str | None) -> Callable[[str], int] | None:
    """A function that counts a text's tokens for a model; None without one."""
    if model is None:
        return None
    from studio.models.loading import load_tokenizer

    tokenizer = load_tokenizer(resolve(model))
    return lambda text: len(tokenizer(text, add_special_tokens=False)["input_ids"])
