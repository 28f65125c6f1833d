"""What the rows of a dataset come to in a model's tokens: cut, trained, padded.

The rows are measured by `studio.data.tokens.token_lengths`, as TRL would make them. Without the
model's tokenizer on this machine four characters count as a token, and the basis says so.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from studio.calculator.formatting import count
from studio.core import chat_templates
from studio.core.errors import ModelError, StudioError

_MOST_ROWS = 256
_CHARACTERS = 4
_kept: OrderedDict[Any, Lengths] = OrderedDict()


@dataclass(frozen=True)
class Lengths:
    """`size` and `trained`: (measured rows, sequences a row) tokens, uncut; two for pairs."""

    rows: int
    size: np.ndarray
    trained: np.ndarray
    basis: str

    @property
    def sides(self) -> int:
        """Sequences a row."""
        return self.size.shape[1]

    def single(self) -> Lengths:
        """Each side a row of its own: what KTO makes of pairs."""
        return replace(
            self,
            rows=self.rows * self.sides,
            size=self.size.reshape(-1, 1),
            trained=self.trained.reshape(-1, 1),
        )

    def mean(self, max_length: int) -> float:
        """Tokens a row, its sequences together, each cut to `max_length`."""
        return float(np.minimum(self.size, max_length).sum(axis=1).mean())

    def mean_trained(self, max_length: int) -> float:
        """Of these, tokens that the loss counts: answers end a row, so they are what is cut."""
        lost = np.maximum(self.size - max_length, 0)
        return float(np.maximum(self.trained - lost, 0).sum(axis=1).mean())

    def padded(self, max_length: int, batch: int) -> float:
        """Tokens a row once a batch of random rows is padded to its longest sequence.

        That is the expected maximum of `batch` draws: the sum over lengths, in order, of each
        times the chance that it is the longest drawn.
        """
        longest = np.sort(np.minimum(self.size, max_length).max(axis=1))
        chance = np.diff((np.arange(len(longest) + 1) / len(longest)) ** batch)
        return self.sides * float((longest * chance).sum())

    def share_cut(self, max_length: int) -> float:
        """Share of the rows that lose tokens."""
        return float((self.size > max_length).any(axis=1).mean())

    def words(self, max_length: int) -> str:
        """`61 tokens a row, 23 of them trained; no row is cut (the model's own tokenizer)`."""
        share = self.share_cut(max_length)
        losing = f"{max(1, round(100 * share))} % of the rows are cut" if share else "no row is cut"
        return (
            f"{count(self.mean(max_length))} tokens a row, {count(self.mean_trained(max_length))} "
            f"of them trained; {losing} ({self.basis})"
        )


def of_rows(
    load: Callable[[], Any],
    fingerprint: str,
    kind: str,
    model: str,
    *,
    completion_only_loss: bool | None = None,
    assistant_only_loss: bool = False,
    chat_template: str | None = None,
) -> Lengths:
    """Lengths of rows of type `kind` for a model; `load` is called where they are not remembered.

    `fingerprint` identifies the rows.
    """
    key = (fingerprint, model, completion_only_loss, assistant_only_loss, chat_template)
    if key not in _kept:
        rows = load()
        tokenizer = local_tokenizer(model)
        try:
            if tokenizer is None:
                raise ModelError(f"The tokenizer of {model} is not on this machine.")
            found = _measured(
                rows,
                kind,
                chat_templates.with_chat_template(tokenizer, chat_template),
                completion_only_loss,
                assistant_only_loss,
            )
        except StudioError:  # no tokenizer, or a template that refuses: training will say which
            found = _by_characters(rows)
        _kept[key] = found
        while len(_kept) > 32:
            _kept.popitem(last=False)
    return _kept[key]


def _measured(
    rows: Any, kind: str, tokenizer: Any, completion_only: bool | None, assistant_only: bool
) -> Lengths:
    from studio.data.tokens.token_lengths import measure

    found = measure(
        rows,
        kind,
        tokenizer,
        completion_only_loss=completion_only,
        assistant_only_loss=assistant_only,
        most=_MOST_ROWS,
    )
    ends = np.cumsum(found.size)
    lit = np.concatenate([[0], np.cumsum(found.lit)])
    sides = np.bincount(found.row_of).max()
    shape = (-1, int(sides))
    return Lengths(
        found.rows,
        found.size.reshape(shape),
        (lit[ends] - lit[ends - found.size]).reshape(shape),
        "the model's own tokenizer",
    )


def _by_characters(rows: Any) -> Lengths:
    step = max(1, len(rows) // _MOST_ROWS)
    sampled = [list(_sequences(rows[index])) for index in range(0, len(rows), step)]
    both = np.array(sampled, np.int64)
    return Lengths(len(rows), both[..., 0], both[..., 1], "four characters a token")


def _sequences(row: dict[str, Any]) -> Iterator[tuple[int, int]]:
    start = _tokens(row.get("prompt"))
    sides = [key for key in ("chosen", "rejected", "completion") if row.get(key)]
    for side in sides:
        yield start + _tokens(row[side]), _tokens(row[side])
    if not sides:
        whole = _tokens(row.get("text") or row.get("messages"))
        yield max(1, start + whole), whole


def _tokens(value: Any) -> int:
    if isinstance(value, list):
        value = "".join(str(turn.get("content") or "") for turn in value)
    elif value is not None and not isinstance(value, str):
        value = json.dumps(value, ensure_ascii=False)
    return -(-len(value or "") // _CHARACTERS)


@lru_cache(maxsize=8)
def local_tokenizer(model: str) -> Any | None:
    """The model's tokenizer where it lies on this machine, else None; nothing is fetched."""
    from transformers import AutoTokenizer

    from studio.core.model_names import resolve

    try:
        tokenizer = AutoTokenizer.from_pretrained(resolve(model).location, local_files_only=True)
    except (StudioError, OSError, ValueError, KeyError, ImportError):
        return None  # not here, or not to be read: lengths go by characters, and say so
    chat_templates.ensure(tokenizer)
    return tokenizer
