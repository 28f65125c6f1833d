"""An answer token by token: how likely each column held each token, and what else it held likely.

One forward pass a column on the shared weights. Works for an answer that was generated and for any
text given. Runs in the worker's thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from studio.core import rope
from studio.core.device_errors import is_out_of_memory
from studio.core.errors import ConfigError, DataError, StudioError
from studio.core.messages import Message
from studio.evaluation import forward
from studio.evaluation.forward import Given
from studio.generation import column_models, engine
from studio.generation.request import Column, Sampling
from studio.models import tokenization
from studio.models.pool import ModelPool
from studio.runs.store import RunStore

ALTERNATIVES = 5


@dataclass(frozen=True)
class TokenReading:
    """One token under every column: its log-probability, and the likeliest in its place."""

    text: str
    logps: tuple[float | None, ...]
    likeliest: tuple[tuple[tuple[str, float], ...], ...]

    def ratio(self, column: int) -> float | None:
        """log p(column) - log p(first column): above 0 where the tuning made it likelier."""
        first, other = self.logps[0], self.logps[column]
        return None if first is None or other is None else other - first


@dataclass(frozen=True)
class AnswerReading:
    """All tokens of an answer; `rewards` are beta x sum of log-ratios for preference runs."""

    labels: tuple[str, ...]
    tokens: list[TokenReading]
    sums: tuple[float | None, ...]
    rewards: tuple[float | None, ...]
    errors: tuple[str | None, ...] = field(default_factory=tuple)


def read_answer(
    columns: Sequence[Column],
    prompt: list[Message] | str,
    answer: str | tuple[int, ...],
    pool: ModelPool,
    runs: RunStore,
    raw: bool = False,
) -> AnswerReading:
    """Read an answer (text, or the very token ids that were generated) under every column.

    Raises ConfigError for columns that do not share a tokenizer's tokens, DataError for an empty
    answer; a column that cannot be loaded says so in `errors`.
    """
    if any(column.endpoint for column in columns):
        raise ConfigError(
            "A model served elsewhere gives no log-likelihoods; leave its column out."
        )
    planned, wrong = column_models.plans(tuple(columns), Sampling(), runs)
    if len({plan.column.model for plan in planned}) > 1:
        raise ConfigError("Token by token, columns must stand on one base; these have several.")
    errors: list[str | None] = [wrong.get(at) for at in range(len(columns))]
    found: list[forward.Read | None] = [None] * len(columns)
    texts: list[str] = []
    tokenizer = None
    for plan in planned:
        try:
            loaded = column_models.ready(plan, pool, runs)
            _, before = tokenization.encode(loaded.tokenizer, prompt, raw, defaults=loaded.defaults)
            ids = _answer_ids(loaded.tokenizer, answer)
            _check(before, ids, loaded.resident.model.config)
            given = Given([*before, *ids], [False] * len(before) + [True] * len(ids))
            found[plan.index] = forward.read(loaded, [given], ALTERNATIVES)[0]
            if tokenizer is None:
                from studio.data.tokens.token_view import token_texts

                tokenizer, texts = loaded.tokenizer, token_texts(ids, loaded.tokenizer)
        except StudioError as error:
            errors[plan.index] = str(error)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            errors[plan.index] = engine.NO_MEMORY
    tokens = [
        TokenReading(
            text,
            tuple(read.logps[at] if read else None for read in found),
            tuple(_named(read.likeliest[at], tokenizer) if read else () for read in found),
        )
        for at, text in enumerate(texts)
    ]
    sums = tuple(sum(read.logps) if read else None for read in found)
    betas = {
        plan.index: getattr(plan.recipe, "beta", None)
        for plan in planned
        if plan.run is not None and plan.run.objective != "sft"
    }
    rewards = tuple(_reward(betas.get(at), sums, at) for at in range(len(columns)))
    labels = tuple(column.label or column.run or column.model for column in columns)
    return AnswerReading(labels, tokens, sums, rewards, tuple(errors))


def _answer_ids(tokenizer, answer: str | tuple[int, ...]) -> list[int]:
    if isinstance(answer, str):
        return tokenizer(answer, add_special_tokens=False)["input_ids"]
    return list(answer)


def _check(before: list[int], ids: list[int], config) -> None:
    if not before or not ids:
        raise DataError("There is no text to read token by token; give a prompt and an answer.")
    context = rope.context(config)
    if context and len(before) + len(ids) > context:
        raise DataError(
            f"Prompt and answer are {len(before) + len(ids):,} tokens long and this model reads "
            f"{context:,}; shorten them."
        )


def _named(likeliest: list[tuple[int, float]], tokenizer) -> tuple[tuple[str, float], ...]:
    from studio.data.tokens.token_view import token_texts

    texts = token_texts([token for token, _ in likeliest], tokenizer)
    return tuple((text, logp) for text, (_, logp) in zip(texts, likeliest, strict=True))


def _reward(beta: float | None, sums: tuple[float | None, ...], at: int) -> float | None:
    first, own = sums[0], sums[at]
    return None if beta is None or not at or first is None or own is None else beta * (own - first)
