"""Ask a model which of two answers is better."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from studio.core.errors import ConfigError
from studio.generation.request import Column
from studio.labels.llm_judge import MAX_NEW_TOKENS, OnProgress, TextPair, judgeable, request, result
from studio.labels.types import DEFAULT_QUESTION

if TYPE_CHECKING:
    from studio.engine.studio import Studio


def ask(
    studio: Studio,
    pairs: Sequence[TextPair],
    column: Column,
    a: str,
    b: str,
    question: str = DEFAULT_QUESTION,
    on_progress: OnProgress = lambda done, total, what: None,
    max_new_tokens: int = MAX_NEW_TOKENS,
    rubric: str = "",
    think: bool = False,
) -> dict[str, Any]:
    """Let a model judge pairs to the end: `result`'s mapping.

    `on_progress` hears how many replies of how many are there, and may raise `Cancelled`. Raises
    `ConfigError` where there is nothing to judge.
    """
    kept, aside = judgeable(pairs)
    if not kept:
        raise ConfigError("There is nothing to judge: the answers are identical or empty.")
    asked = request(kept, column, question, max_new_tokens, rubric, think)
    seen = studio.generate(asked).watch(
        lambda now: on_progress(now.ended, len(asked.prompts), "Judging, both orders")
    )
    return result(seen, kept, column.label or column.model, a, b, aside)
