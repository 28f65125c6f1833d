"""Prompts as the model reads them: chat template, token ids, stop tokens."""

from __future__ import annotations

from typing import Any

from studio.core.errors import ConfigError
from studio.core.library_types import Tokenizer
from studio.models.pool import LoadedModel

_LONGEST_TOKEN = 16  # characters of a token, on average: text has about four


def encode(
    tokenizer: Tokenizer,
    prompt: list[dict[str, Any]] | str,
    raw: bool = False,
    context: int | None = None,
) -> tuple[str, list[int]]:
    """The exact string a model is given, and its token ids.

    Raises `ConfigError` for a text that a model of `context` tokens cannot read, before reading it.
    """
    text = prompt_text(tokenizer, prompt, raw)
    if context and len(text) > _LONGEST_TOKEN * context:
        raise ConfigError(
            f"The prompt is {len(text):,} characters long and this model reads {context:,} tokens; "
            "shorten it."
        )
    return text, tokenizer(text, add_special_tokens=raw)["input_ids"]


def refusal(ids: list[int], context: int | None) -> str | None:
    """Why a prompt cannot be answered: nothing in it, or no room after it."""
    if not ids:
        return "The prompt is empty; type something to answer."
    if context and len(ids) + 1 > context:
        return (
            f"The prompt is {len(ids):,} tokens long and this model reads {context:,}; shorten it."
        )
    return None


def prompt_text(tokenizer: Tokenizer, prompt: list[dict[str, Any]] | str, raw: bool = False) -> str:
    """The exact string a model is given: through its chat template, or as typed when raw."""
    if raw:
        return prompt if isinstance(prompt, str) else str(prompt[-1]["content"])
    if isinstance(prompt, str):
        prompt = [{"role": "user", "content": prompt}]
    return tokenizer.apply_chat_template(prompt, add_generation_prompt=True, tokenize=False)


def end_ids(resident: LoadedModel) -> list[int]:
    """Every token that ends an answer: the tokenizer's and the model's own."""
    own = getattr(resident.model.generation_config, "eos_token_id", None)
    own = own if isinstance(own, list) else [own]
    return sorted({token for token in (*own, resident.tokenizer.eos_token_id) if token is not None})
