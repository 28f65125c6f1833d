"""Prompts as the model reads them: chat template, token ids, stop tokens."""

from __future__ import annotations

from typing import Any

from jinja2 import TemplateError

from studio.core.errors import ConfigError
from studio.core.library_types import LanguageModel, Tokenizer
from studio.models.pool import LoadedModel

_PROBE = "Hello"
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
    """Every token that ends an answer, see `stop_ids`."""
    return stop_ids(resident.model, resident.tokenizer)


def stop_ids(model: LanguageModel, tokenizer: Tokenizer) -> list[int]:
    """Every token that ends an answer: the tokenizer's, the model's own, and the chat template's
    end of a turn."""
    own = getattr(model.generation_config, "eos_token_id", None)
    own = own if isinstance(own, list) else [own]
    every = (*own, tokenizer.eos_token_id, end_of_turn(tokenizer))
    return sorted({token for token in every if token is not None})


def end_of_turn(tokenizer: Tokenizer) -> int | None:
    """The token that the chat template puts after an answer; None where it is no single token."""
    if not tokenizer.chat_template:
        return None
    probe = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": _PROBE}]
    try:
        text = tokenizer.apply_chat_template(probe, tokenize=False)
    except (TemplateError, ValueError, TypeError):
        return None
    after = text.rpartition(_PROBE)[2]
    ids = tokenizer(after, add_special_tokens=False)["input_ids"] if after else []
    first = ids[0] if ids else None
    return first if first in tokenizer.added_tokens_decoder else None
