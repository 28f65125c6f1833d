"""The lengths of a dataset's rows in a model's tokens: cut, trained, padded.

The rows are measured by `studio.data.tokens.token_lengths`, as TRL would make them. Without the
model's tokenizer on this machine four characters count as a token, and the basis says so.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from studio.core import chat_templates, tokenizer_check
from studio.core.errors import ModelError, StudioError
from studio.core.formatting import compact
from studio.runs.objectives import OBJECTIVES, ONLINE

if TYPE_CHECKING:
    from studio.runs.recipe import Recipe

PAIRED = tuple(name for name, row in OBJECTIVES.items() if row.types == ("preference",))
"""Objectives that take a row's two sequences together."""


def sides(recipe: Recipe) -> int:
    """Sequences of a row that are in a batch together, as far as the recipe says it."""
    if OBJECTIVES[recipe.objective].embeds:
        triplets = recipe.loss_type[0] == "TripletLoss"
        return 2 + (1 if triplets else recipe.num_negatives)
    return 2 if recipe.objective in PAIRED else 1


Row = dict[str, Any]
Counts = npt.NDArray[np.int64]

_MOST_ROWS = 256
_CHARACTERS = 4
_measurements: OrderedDict[Any, Lengths] = OrderedDict()


@dataclass(frozen=True)
class Lengths:
    """Measured rows. `size` and `trained`: (measured rows, sequences per row) tokens, uncut.

    A preference pair has two sequences. `basis` says what counted the tokens.
    """

    rows: int
    size: Counts
    trained_size: Counts
    basis: str

    def of(self, objective: str) -> Lengths:
        """As an objective takes the rows: KTO and the online ones take each side by itself."""
        if objective not in ("kto", *ONLINE):
            return self
        return replace(
            self,
            rows=self.rows * self.size.shape[1],
            size=self.size.reshape(-1, 1),
            trained_size=self.trained_size.reshape(-1, 1),
        )

    def lost(self, recipe: Recipe) -> int:
        """Tokens of all rows that a run never sees: those beyond `max_length`, unless packing
        splits rows."""
        over = np.maximum(self.size - _longest(recipe), 0).sum()
        return round(float(over) * self.rows / len(self.size))

    def mean(self, max_length: int) -> float:
        """Tokens per row, its sequences together, each cut to `max_length`."""
        return float(np.minimum(self.size, max_length).sum(axis=1).mean())

    def tokens(self, recipe: Recipe) -> tuple[float, float]:
        """Tokens per row: (its own, as a batch carries it)."""
        own = self.mean(_longest(recipe))
        if recipe.packing:
            return own, 1.05 * own
        return own, self.padded(recipe.max_length, recipe.per_device_train_batch_size)

    def trained(self, recipe: Recipe) -> float:
        """Of a row's tokens, those that the loss counts: answers end a row and are what is cut."""
        lost = np.maximum(self.size - _longest(recipe), 0)
        return float(np.maximum(self.trained_size - lost, 0).sum(axis=1).mean())

    def padded(self, max_length: int, batch: int) -> float:
        """Tokens per row once a batch of random rows is padded to its longest sequence.

        That is the expected maximum of `batch` draws: the sum over lengths, in order, of each
        times the chance that it is the longest drawn.
        """
        longest = np.sort(np.minimum(self.size, max_length).max(axis=1))
        chance = np.diff((np.arange(len(longest) + 1) / len(longest)) ** batch)
        return self.size.shape[1] * float((longest * chance).sum())

    def describe(self, recipe: Recipe) -> str:
        """`61 tokens per row, 23 of them trained; no row is cut (the model's own tokenizer)`."""
        longest = _longest(recipe)
        share = float((self.size > longest).any(axis=1).mean())
        cut = "no row is cut"
        if share:
            lost = compact(self.lost(recipe))
            cut = f"{max(1, round(100 * share))} % of the rows are cut, {lost} tokens lost"
        return (
            f"{compact(self.mean(longest))} tokens per row, {compact(self.trained(recipe))} "
            f"of them trained; {cut} ({self.basis})"
        )


def _longest(recipe: Recipe) -> int:
    """Tokens that are kept of a row: those of a sequence, or all where packing splits rows."""
    splits = recipe.packing and recipe.packing_strategy != "bfd"
    return 1 << 60 if splits else recipe.max_length


_MIXED_ROWS = 2048
"""Rows that stand for a mixture, each dataset's in proportion to what is drawn from it."""


def mixed(parts: Sequence[tuple[Lengths, int]]) -> Lengths:
    """The lengths of a mixture: (a dataset's lengths, the rows drawn from it) for each.

    Shares of rows are met as closely as `_MIXED_ROWS` rows can.
    """
    total = sum(drawn for _, drawn in parts)
    picked: list[tuple[Lengths, Counts]] = []
    for lengths, drawn in parts:
        size = max(1, round(_MIXED_ROWS * drawn / total))
        picked.append((lengths, np.arange(size) * len(lengths.size) // size))
    return Lengths(
        total,
        np.concatenate([lengths.size[at] for lengths, at in picked]),
        np.concatenate([lengths.trained_size[at] for lengths, at in picked]),
        ", ".join(dict.fromkeys(lengths.basis for lengths, _ in parts)),
    )


@dataclass(frozen=True)
class RowCount:
    """A number of rows that nobody measured.

    `mean_tokens` per row, its sequences together; unknown, a quarter of the length to all of it is
    assumed.
    """

    rows: int
    mean_tokens: float | None = None

    def of(self, objective: str) -> RowCount:
        return self

    def tokens(self, recipe: Recipe) -> tuple[float, float]:
        """Tokens per row: (its own, as a batch carries it)."""
        longest = recipe.max_length * sides(recipe)
        if not self.mean_tokens:
            return longest / 4, longest
        padded = (1.1 if recipe.packing else 1.6) * self.mean_tokens
        return min(self.mean_tokens, longest), min(padded, longest)

    def trained(self, recipe: Recipe) -> None:
        return None

    def describe(self, recipe: Recipe) -> str:
        return ""


def lengths_of(
    load: Callable[[], Iterable[Any]], fingerprint: str, kind: str, recipe: Recipe
) -> Lengths:
    """Lengths of rows of type `kind` as a recipe trains on them.

    `fingerprint` identifies the rows; `load` is only called where they were not measured before.
    """
    key = (
        *(fingerprint, recipe.model_name_or_path, recipe.chat_template_path),
        *(recipe.completion_only_loss, recipe.assistant_only_loss, recipe.mask_history),
        json.dumps(recipe.chat_template_kwargs, sort_keys=True),
    )
    embeds = OBJECTIVES[recipe.objective].embeds
    if embeds:
        key = (*key, recipe.query_prompt, recipe.document_prompt, sides(recipe))
    if key not in _measurements:
        rows = load()
        try:
            lengths = (_measured_pairs if embeds else _measured)(rows, kind, recipe)
        except StudioError:  # no tokenizer, or a template that refuses: training will say which
            lengths = _by_characters(list(rows))
        _measurements[key] = lengths
        while len(_measurements) > 32:
            _measurements.popitem(last=False)
    return _measurements[key]


def _measured(rows: Any, kind: str, recipe: Recipe) -> Lengths:
    from studio.data.tokens.token_lengths import measure

    model = recipe.model_name_or_path
    tokenizer = local_tokenizer(model)
    if tokenizer is None:
        raise ModelError(f"The tokenizer of {model} is not on this machine.")
    found = measure(
        rows,
        kind,
        chat_templates.with_chat_template(tokenizer, recipe.chat_template_path),
        completion_only_loss=recipe.completion_only_loss,
        assistant_only_loss=recipe.assistant_only_loss,
        mask_history=recipe.mask_history,
        chat_template_kwargs=recipe.chat_template_kwargs,
        most=_MOST_ROWS,
    )
    ends = np.cumsum(found.size)
    trained = np.concatenate([[0], np.cumsum(found.lit)])
    shape = (-1, int(np.bincount(found.row_of).max()))
    return Lengths(
        found.rows,
        found.size.reshape(shape),
        (trained[ends] - trained[ends - found.size]).reshape(shape),
        "the model's own tokenizer",
    )


def _measured_pairs(rows: Any, kind: str, recipe: Recipe) -> Lengths:
    """Both sides of rows as an encoder reads them; mined negatives are as long as positives."""
    from studio.data.pair_texts import SCORED, pair_of
    from studio.data.rows import tidy
    from studio.data.types import RowError

    tokenizer = local_tokenizer(recipe.model_name_or_path)

    def size(text: str, prompt: str) -> int:
        whole = prompt + text
        return len(tokenizer(whole)["input_ids"]) if tokenizer else _tokens(whole)

    step = max(1, len(rows) // _MOST_ROWS)
    found: list[tuple[int, int]] = []
    for at in range(0, len(rows), step):
        try:
            pair = pair_of(tidy(dict(rows[at])), kind)
        except RowError:
            continue
        first, second = ("sentence1", "sentence2") if kind == SCORED else ("anchor", "positive")
        both = (pair[first], recipe.query_prompt), (pair[second], recipe.document_prompt)
        found.append((size(*both[0]), size(*both[1])))
    if not found:
        raise ModelError("No row has two sides to embed.")
    both = np.array(found, np.int64)
    every = np.concatenate([both, *[both[:, 1:]] * (sides(recipe) - 2)], axis=1)
    basis = "the model's own tokenizer" if tokenizer else "four characters per token"
    return Lengths(len(rows), every, every, basis)


def _by_characters(rows: list[Row]) -> Lengths:
    step = max(1, len(rows) // _MOST_ROWS)
    sampled = [list(_sequences(rows[index])) for index in range(0, len(rows), step)]
    both = np.array(sampled, np.int64)
    return Lengths(len(rows), both[..., 0], both[..., 1], "four characters per token")


def _sequences(row: Row) -> Iterator[tuple[int, int]]:
    start = _tokens(row.get("prompt"))
    sides = [key for key in ("chosen", "rejected", "completion") if row.get(key)]
    for side in sides:
        yield start + _tokens(row[side]), _tokens(row[side])
    if not sides:
        whole = _tokens(row.get("text") or row.get("messages"))
        yield max(1, start + whole), whole


def _tokens(value: Any) -> int:
    if isinstance(value, list):
        turns = cast(list[Row], value)
        value = "".join(str(turn.get("content") or "") for turn in turns)
    elif value is not None and not isinstance(value, str):
        value = json.dumps(value, ensure_ascii=False)
    return -(-len(value or "") // _CHARACTERS)


@lru_cache(maxsize=8)
def local_tokenizer(model: str) -> Any | None:
    """The model's tokenizer where it is on this machine, else None; nothing is downloaded."""
    from transformers import AutoTokenizer

    from studio.core.model_names import resolve

    try:
        auto: Any = AutoTokenizer
        reference = resolve(model)
        if reference.kind != "builtin":
            tokenizer_check.check(tokenizer_check.folder_here(reference.location), model)
        tokenizer = auto.from_pretrained(reference.location, local_files_only=True)
    except (StudioError, OSError, ValueError, KeyError, ImportError):
        return None  # not here, or not to be read: lengths go by characters, and say so
    chat_templates.ensure(tokenizer)
    return tokenizer
