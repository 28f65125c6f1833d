"""Prompts as the model reads them: chat template, token ids, stop tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import TemplateError

from studio.core import rendering
from studio.core.answers import WRITTEN, AnswerParts, read
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
    defaults: Mapping[str, Any] | None = None,
) -> tuple[str, list[int]]:
    """The exact string a model is given, and its token ids; arguments as `prompt_text`'s.

    Raises `ConfigError` for a text that a model of `context` tokens cannot read, before reading it.
    """
    text = prompt_text(tokenizer, prompt, raw, defaults)
    check_length(text, context, "prompt")
    return text, tokenizer(text, add_special_tokens=raw)["input_ids"]


def check_length(text: str, context: int | None, what: str = "answer") -> None:
    """Raise `ConfigError` for a text that no model of `context` tokens reads; nothing is read."""
    if context and len(text) > _LONGEST_TOKEN * context:
        raise ConfigError(
            f"The {what} is {len(text):,} characters long and this model reads {context:,} tokens; "
            "shorten it."
        )


def refusal(ids: list[int], context: int | None) -> str | None:
    """Why a prompt cannot be answered: nothing in it, or no room after it."""
    if not ids:
        return "The prompt is empty; type something to answer."
    if context and len(ids) + 1 > context:
        return (
            f"The prompt is {len(ids):,} tokens long and this model reads {context:,}; shorten it."
        )
    return None


def left_padded(rows: Sequence[Sequence[int]], pad: int) -> tuple[list[list[int]], list[list[int]]]:
    """Token ids of equal length and their attention mask: what is written stands at the end."""
    longest = max(map(len, rows))
    short = [longest - len(row) for row in rows]
    return (
        [[pad] * missing + list(row) for missing, row in zip(short, rows, strict=True)],
        [[0] * missing + [1] * (longest - missing) for missing in short],
    )


def prompt_text(
    tokenizer: Tokenizer,
    prompt: list[dict[str, Any]] | str,
    raw: bool = False,
    defaults: Mapping[str, Any] | None = None,
) -> str:
    """The exact string a model is given: through its chat template, or as typed when raw.

    Args:
        defaults: a recipe's `chat_template_kwargs`, for what the prompt does not say itself.
    """
    if raw:
        return prompt if isinstance(prompt, str) else str(prompt[-1]["content"])
    if isinstance(prompt, str):
        prompt = [{"role": "user", "content": prompt}]
    return tokenizer.apply_chat_template(
        rendering.turns(prompt, tokenizer),
        add_generation_prompt=True,
        tokenize=False,
        **rendering.options(prompt, defaults),
    )


def written_text(tokenizer: Tokenizer, ids: Sequence[int]) -> str:
    """What a model wrote: without special tokens, save those that mark thinking and calls, and
    without the mark that its chat template ends an answer with."""
    special = set(tokenizer.all_special_ids) - _marks(tokenizer)
    text = tokenizer.decode([id for id in ids if id not in special], skip_special_tokens=False)
    mark = _end_text(tokenizer)
    return text.rstrip().removesuffix(mark) if mark and text.rstrip().endswith(mark) else text


def _end_text(tokenizer: Tokenizer) -> str:
    """The mark between an answer and the token that ends it, where the vocabulary has no such
    token and so spells it out (ChatML's `<|im_end|>` on a model of another family); else ""."""
    key = (str(tokenizer.chat_template), str(tokenizer.eos_token))
    if key not in _end_texts:
        after, eos = _after_answer(tokenizer), tokenizer.eos_token
        _end_texts[key] = after.partition(eos)[0].strip() if eos and eos in after else ""
        while len(_end_texts) > 32:
            _end_texts.pop(next(iter(_end_texts)))
    return _end_texts[key]


_end_texts: dict[tuple[str, str], str] = {}


def answer_of(tokenizer: Tokenizer, ids: Sequence[int], prompt: str = "") -> AnswerParts:
    """An answer's thinking and text, from its token ids and the rendered prompt before it."""
    return read(written_text(tokenizer, ids), prompt)


def thinking_tokens(tokenizer: Tokenizer, ids: Sequence[int], prompt: str = "") -> int:
    """How many of an answer's tokens are its thinking, its end mark included."""
    found = answer_of(tokenizer, ids, prompt)
    if not found.reasoning or found.cut:
        return len(ids) if found.cut else 0
    low, high = 0, len(ids)  # the thinking has ended in every longer beginning, so halve
    while low < high:
        middle = (low + high) // 2
        if answer_of(tokenizer, ids[:middle], prompt).cut or not middle:
            low = middle + 1
        else:
            high = middle
    return low


def _marks(tokenizer: Tokenizer) -> set[int]:
    known = tokenizer.get_added_vocab()
    return {known[mark] for mark in WRITTEN if mark in known}


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
    after = _after_answer(tokenizer)
    ids = tokenizer(after, add_special_tokens=False)["input_ids"] if after else []
    first = ids[0] if ids else None
    return first if first in tokenizer.added_tokens_decoder else None


def _after_answer(tokenizer: Tokenizer) -> str:
    """What the chat template writes after a conversation's last answer; "" without a template."""
    if not tokenizer.chat_template:
        return ""
    probe = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": _PROBE}]
    try:
        text = tokenizer.apply_chat_template(probe, tokenize=False)
    except (TemplateError, ValueError, TypeError):
        return ""
    return text.rpartition(_PROBE)[2]
