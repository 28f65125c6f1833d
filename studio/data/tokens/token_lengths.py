"""Token counts of rows and the cost of a max length, measured on the sequences the trainer would
build (see `studio.data.tokens.token_view`), never estimated from characters."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from studio.core.errors import ModelError
from studio.core.library_types import Tokenizer
from studio.core.rendering import with_defaults
from studio.data.tokens.token_view import Encoded, encode
from studio.data.types import Progress, Row

MOST_ROWS = 20_000
"""Maximum rows measured; larger sets are sampled with a fixed seed."""
STEP = 64
"""Suggested limits are multiples of this: sizes that hardware likes."""
WHOLE = 0.99
"""Share of rows that a suggested limit does not truncate."""
ENCODED = ("anchor", "positive", "negative", "sentence1", "sentence2")
"""Sides that an encoder reads; see `token_view.pair_sides`."""
_CHUNK = 128
RULE = (
    f"the smallest multiple of {STEP} that truncates at most {100 * (1 - WHOLE):g} % of the rows, "
    "capped by the model's context length"
)


@dataclass(frozen=True)
class Lengths:
    """Token counts of measured rows. A preference row has two sequences, a pair for an encoder
    one for each side; all count.

    `row_of`, `size`: for each sequence the row it belongs to and its tokens. `lit`: all sequences
    end to end, True where the loss counts the token. `turns`, `at_row` (its place among all rows)
    and `apart` (the first token in which its two sides differ, -1 where it has one): for each
    measured row. `refusals`: place -> sentence of rows that the chat template refuses;
    `changed` of rows with a turn that it writes differently once others follow. `side`: the name
    of each sequence, such as `chosen` or `anchor`.
    """

    rows: int
    measured: int
    refusals: dict[int, str]
    row_of: np.ndarray
    size: np.ndarray
    lit: np.ndarray
    turns: np.ndarray
    at_row: np.ndarray
    apart: np.ndarray
    context: int | None = None
    changed: dict[int, str] = field(default_factory=dict)
    side: Sequence[str] = ()

    @property
    def refused(self) -> int:
        """Rows that could not be counted."""
        return len(self.refusals)

    @property
    def why_refused(self) -> str:
        """Why the first of them could not."""
        return next(iter(self.refusals.values()), "")

    @property
    def learns(self) -> bool:
        """Whether any token is trained; none is of prompts alone."""
        return bool(self.lit.any())

    @property
    def sampled(self) -> bool:
        return self.measured < self.rows

    @property
    def longest(self) -> np.ndarray:
        """(rows,) tokens of each row: of its longer side where it has two."""
        return _per_row(np.maximum, self.size, self.row_of)

    @property
    def trained(self) -> np.ndarray:
        """(rows,) trained tokens of each row, both sides together."""
        ends = np.cumsum(self.size)
        sums = np.concatenate([[0], np.cumsum(self.lit)])
        return _per_row(np.add, sums[ends] - sums[ends - self.size], self.row_of)

    def at(self, max_length: int) -> Cut:
        """What a limit of `max_length` tokens per sequence costs (trainers keep the start)."""
        over = np.maximum(self.size - max_length, 0)
        alive = self._alive(max_length)
        return Cut(
            max_length=max_length,
            rows=len(np.unique(self.row_of[over > 0])),
            tokens=int(over.sum()),
            trained=int(self.lit.sum() - alive.sum()),
            silent=len(self.silent_rows(max_length)) if self.learns else 0,
            of_rows=len(self.turns),
            of_tokens=int(self.size.sum()),
            of_trained=int(self.lit.sum()),
            sides=self._sides(max_length) if self.embeds else {},
        )

    def _sides(self, max_length: int) -> dict[str, SideCut]:
        found: dict[str, SideCut] = {}
        for name in dict.fromkeys(self.side):
            size = self.of_side(name)
            lost = np.maximum(size - max_length, 0)
            found[name] = SideCut(int((lost > 0).sum()), len(size), int(lost.sum()))
        return found

    def _alive(self, max_length: int) -> np.ndarray:
        """Trained tokens of each sequence that a limit leaves."""
        starts = np.cumsum(self.size) - self.size
        position = np.arange(len(self.lit)) - np.repeat(starts, self.size)
        kept = self.lit & (position < max_length)
        return np.add.reduceat(kept, starts) if len(starts) else np.zeros(0, np.int64)

    def silent_rows(self, max_length: int) -> np.ndarray:
        """Measured rows of which a side trains nothing under a limit."""
        return np.unique(self.row_of[self._alive(max_length) == 0])

    @property
    def paired(self) -> bool:
        """Whether every row has two answers, of which one is preferred."""
        return len(self.size) == 2 * len(self.turns) > 0 and not self.embeds

    @property
    def embeds(self) -> bool:
        """Whether the sequences are the sides that an encoder reads."""
        return any(name in ENCODED for name in self.side)

    @property
    def longer(self) -> list[str]:
        """Which sequence of each measured row is longest; empty for rows with one sequence."""
        if not self.paired and not self.embeds:
            return [""] * len(self.turns)
        longest = self.longest[self.row_of] == self.size
        found = [""] * len(self.turns)
        for row, name, most in zip(self.row_of, self.side, longest, strict=True):
            if most and not found[row]:
                found[row] = name
        return found

    def of_side(self, *names: str) -> np.ndarray:
        """Tokens of every sequence of these sides."""
        return self.size[np.isin(np.asarray(self.side, str), names)]

    def suggestion(self) -> int:
        """A length limit by `RULE`."""
        wanted = float(np.quantile(self.longest, WHOLE, method="higher"))
        limit = max(STEP, -(-int(wanted) // STEP) * STEP)
        return min(limit, self.context) if self.context else limit


@dataclass(frozen=True)
class SideCut:
    """Of one side's texts: how many a limit cuts, how many there are, and the tokens lost."""

    cut: int
    of: int
    tokens: int


@dataclass(frozen=True)
class Cut:
    """Rows and tokens lost at a limit, beside what there is in all. `silent` rows train nothing
    any more (on one side at least). `sides`: what an encoder's texts lose, by side."""

    max_length: int
    rows: int
    tokens: int
    trained: int
    silent: int
    of_rows: int
    of_tokens: int
    of_trained: int
    sides: dict[str, SideCut] = field(default_factory=dict)


def measure(
    rows: Sequence[Row],
    type: str,
    tokenizer: Tokenizer,
    *,
    completion_only_loss: bool | None = None,
    assistant_only_loss: bool | None = None,
    mask_history: bool = False,
    chat_template_kwargs: Mapping[str, Any] | None = None,
    most: int = MOST_ROWS,
    context: int | None = None,
    progress: Progress | None = None,
    prompts: tuple[str, str] = ("", ""),
) -> Lengths:
    """Encode rows of one type as the trainer would, and keep their lengths and masks.

    Rows that the chat template refuses are counted, not measured. `context`: the tokens that the
    model can read. `prompts`: the query's and the document's, before the sides of pairs. Raises
    `ModelError` where no row can be encoded, `Cancelled` from `progress`.
    """
    count = len(rows)
    chosen = range(count)
    if count > most:
        chosen = sorted(random.Random(0).sample(chosen, most))
    how = (completion_only_loss, assistant_only_loss, mask_history, prompts)
    encoded: list[list[Encoded]] = []
    turns: list[int] = []
    at_row: list[int] = []
    refusals: dict[int, str] = {}
    for start in range(0, len(chosen), _CHUNK):
        if progress:
            progress(start, len(chosen), "Counting tokens")
        chunk = [
            (at, with_defaults(rows[at], chat_template_kwargs))
            for at in chosen[start : start + _CHUNK]
        ]
        done, refused = _encode(chunk, type, tokenizer, how)
        encoded.extend(one for _, _, one in done)
        turns.extend(_turns(row) for _, row, _ in done)
        at_row.extend(at for at, _, _ in done)
        refusals.update(refused)
        if start == 0 and not done and refused:
            raise ModelError(next(iter(refused.values())))
    sequences = [(at, one) for at, sides in enumerate(encoded) for one in sides]
    return Lengths(
        rows=count,
        measured=len(chosen),
        refusals=refusals,
        row_of=np.array([at for at, _ in sequences], np.int64),
        size=np.array([len(one.ids) for _, one in sequences], np.int64),
        lit=np.concatenate([np.array(one.trained, bool) for _, one in sequences] or [[]]),
        turns=np.array(turns, np.int64),
        at_row=np.array(at_row, np.int64),
        apart=np.array([_apart(sides) for sides in encoded], np.int64),
        context=context,
        changed={
            at: one.notes[0]
            for at, sides in zip(at_row, encoded, strict=True)
            for one in sides
            if one.notes
        },
        side=[one.side for _, one in sequences],
    )


def _apart(sides: list[Encoded]) -> int:
    """The first position at which two answers differ; -1 where there are no two."""
    if len(sides) < 2 or sides[0].side in ENCODED:
        return -1
    pairs = enumerate(zip(sides[0].ids, sides[1].ids, strict=False))
    shorter = min(len(side.ids) for side in sides)
    return next((at for at, (one, other) in pairs if one != other), shorter)


Numbered = tuple[int, Row]
Choices = tuple[bool | None, bool | None, bool, tuple[str, str]]


def _encode(
    rows: list[Numbered], type: str, tokenizer: Tokenizer, how: Choices
) -> tuple[list[tuple[int, Row, list[Encoded]]], dict[int, str]]:
    """Rows with their places and sequences, and a sentence for each row refused."""
    try:
        together = encode([row for _, row in rows], type, tokenizer, *how)
        return [(at, row, one) for (at, row), one in zip(rows, together, strict=True)], {}
    except ModelError as error:
        if len(rows) == 1:
            return [], {rows[0][0]: str(error)}
    half = len(rows) // 2
    parts = [_encode(part, type, tokenizer, how) for part in (rows[:half], rows[half:])]
    return parts[0][0] + parts[1][0], parts[0][1] | parts[1][1]


def _turns(row: Row) -> int:
    """Turns of a row; a side that is plain text counts as one, and of two answers one is used."""
    sides = [row[name] for name in ("messages", "text", "prompt", "completion") if name in row]
    if "chosen" in row:
        sides.append(row["chosen"])
    return sum(len(side) if isinstance(side, list) else 1 for side in sides)


def _per_row(combine: np.ufunc, values: np.ndarray, row_of: np.ndarray) -> np.ndarray:
    starts = np.flatnonzero(np.diff(row_of, prepend=-1))
    return combine.reduceat(values, starts) if len(starts) else values
