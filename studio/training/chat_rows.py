"""Chats trained on their answers, tokenized with labels before TRL takes them over.

TRL masks by `{% generation %}`, which few models' templates have. Given `input_ids` and `labels` it
takes them as they are, and truncates, packs and collates as always.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio.core import rendering
from studio.core.answers import FIELDS
from studio.core.errors import DataError, ModelError
from studio.core.library_types import Tokenizer
from studio.data.rows import tidy
from studio.data.tokens import answer_mask, template_checks, token_view
from studio.data.types import Row
from studio.runs.recipe import Recipe

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass(frozen=True)
class Tokenized:
    """Rows for TRL, and what became of them: `refused` are left out (place -> sentence), `changed`
    have a turn that the template writes differently once others follow (place -> sentence)."""

    rows: Dataset
    refused: dict[int, str]
    changed: dict[int, str]

    def as_event(self, split: str) -> dict[str, Any]:
        """Counts, with the first row (from 1) and sentence of each kind."""
        return {
            "split": split,
            "given": len(self.rows) + len(self.refused),
            "refused": len(self.refused),
            "refused_first": _first(self.refused),
            "changed": len(self.changed),
            "changed_first": _first(self.changed),
        }


def _first(sentences: dict[int, str]) -> str:
    return next((f"Row {at + 1}: {said}" for at, said in sentences.items()), "")


def tokenized(
    recipe: Recipe, rows: Dataset, tokenizer: Tokenizer, mixed_type: str | None = None
) -> Tokenized:
    """The rows as `input_ids` and `labels`, where answers alone are trained; else as they are.

    Args:
        mixed_type: the type of rows that are mixed with others. SFT's are always tokenized, as TRL
            would do it, so that texts, prompts and chats fit together.

    Raises a `DataError` where every row is refused, or where messages say whether they are trained
    and every token is.
    """
    if not applies(recipe, rows):
        _refuse_unheeded(recipe, rows)
        # TRL would fail at the first row that the template refuses, and name none.
        plain = (tidy(dict(row)) for row in rows) if _chats(rows) else ()
        refused = template_checks.refusals(plain, tokenizer)
        rows = _without(rows, refused)
        if mixed_type and recipe.objective == "sft":
            return Tokenized(_by_trl(recipe, rows, mixed_type, tokenizer), refused, {})
        return Tokenized(_thinking_where_read(rows, tokenizer), refused, {})
    refused: dict[int, str] = {}
    changed: dict[int, str] = {}

    def encoded(row: Row, at: int) -> Row:
        try:
            masked = answer_mask.mask(row, tokenizer, recipe.mask_history)
        except ModelError as problem:
            refused[at] = str(problem)
            return {"input_ids": [], "labels": []}
        for sentence in answer_mask.changed_turns(masked.changed, tokenizer):
            changed[at] = sentence
        for sentence in answer_mask.shared_tokens(masked.shared):
            changed.setdefault(at, sentence)
        return {"input_ids": masked.ids, "labels": masked.labels}

    done = rows.map(
        encoded,
        with_indices=True,
        remove_columns=rows.column_names,
        features=_features(),
        load_from_cache_file=False,
        new_fingerprint=secrets.token_hex(8),  # else datasets would hash the tokenizer
    )
    return Tokenized(_without(done, refused), refused, changed)


def _without(rows: Dataset, refused: dict[int, str]) -> Dataset:
    """The rows that are left; a `DataError` where none is."""
    if not refused:
        return rows
    if len(refused) == len(rows):
        raise DataError(f"No row can be trained on. {next(iter(refused.values()))}")
    return rows.select([at for at in range(len(rows)) if at not in refused])


def _chats(rows: Dataset) -> bool:
    """Whether any column holds messages."""
    return any(isinstance(getattr(each, "feature", None), dict) for each in rows.features.values())


def applies(recipe: Recipe, rows: Dataset) -> bool:
    """Whether rows are tokenized here rather than by TRL."""
    if recipe.objective != "sft" or not len(rows):
        return False
    return answer_mask.applies(rows[0], recipe.assistant_only_loss)


def _by_trl(recipe: Recipe, rows: Dataset, type: str, tokenizer: Tokenizer) -> Dataset:
    """The rows as TRL would tokenize them alone."""

    def encoded(columns: dict[str, list[Any]]) -> dict[str, list[list[int]]]:
        batch = [
            tidy(dict(zip(columns, row, strict=True)))
            for row in zip(*columns.values(), strict=True)
        ]
        done = token_view.encode(batch, type, tokenizer, recipe.completion_only_loss, False)
        labels = [
            [id if lit else -100 for id, lit in zip(one.ids, one.trained, strict=True)]
            for (one,) in done
        ]
        return {"input_ids": [one.ids for (one,) in done], "labels": labels}

    return rows.map(
        encoded,
        batched=True,
        remove_columns=rows.column_names,
        features=_features(),
        load_from_cache_file=False,
        new_fingerprint=secrets.token_hex(8),
    )


def _refuse_unheeded(recipe: Recipe, rows: Dataset) -> None:
    """Messages that say whether they are trained must not be trained all the same."""
    if recipe.objective != "sft":
        return
    for name in ("messages", "completion"):
        turns = getattr(rows.features.get(name), "feature", None)
        if isinstance(turns, dict) and (said := answer_mask.unheeded(turns)):
            raise DataError(said)


def _thinking_where_read(rows: Dataset, tokenizer: Tokenizer) -> Dataset:
    """Rows for TRL to render, their thinking in the field that the template reads."""
    keys: set[str] = set()
    for feature in rows.features.values():
        inner = getattr(feature, "feature", None)
        keys |= set(inner) if isinstance(inner, dict) else set()
    wanted = rendering.thought_field(tokenizer.chat_template or "")
    if wanted is None or not (keys & set(FIELDS)) - {wanted}:
        return rows
    from datasets import Dataset

    return Dataset.from_list([rendering.row_turns(tidy(dict(row)), tokenizer) for row in rows])


def _features() -> Any:
    from datasets import Features, List, Value

    return Features({"input_ids": List(Value("int32")), "labels": List(Value("int32"))})
