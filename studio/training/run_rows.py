"""The rows of a run, of one dataset or of several, before and after they are tokenized."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice, zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np

from studio.core.errors import DataError
from studio.data.types import Row
from studio.runs.mixture import Drawn, Indices

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

    from studio.training.chat_rows import Tokenized

_SAMPLED = 12
"""Rows that sample prompts are taken from."""


@dataclass(frozen=True)
class Part:
    """One dataset: its name in metrics (`eval_<name>_loss`), the type of its rows, the rows that
    are drawn from it, and its held-out rows."""

    name: str
    type: str
    train: Dataset
    test: Dataset | None


@dataclass(frozen=True)
class Mixed:
    """Rows as the trainer takes them. `evaluation` of several datasets is a `DatasetDict` by name;
    `counts` says how many rows come from each, which stand in that order unless interleaved."""

    train: Dataset
    evaluation: Dataset | DatasetDict | None
    counts: tuple[int, ...]


Encode = Callable[[Part, "Dataset", str], "Tokenized"]
"""`encode(part, rows, split)`."""


@dataclass(frozen=True)
class RunRows:
    """What a run reads; `drawn` is the order of a mixture's rows, None for one dataset."""

    parts: tuple[Part, ...]
    drawn: Drawn | None = None

    def __len__(self) -> int:
        return len(self.parts[0].train) if self.drawn is None else len(self.drawn)

    @property
    def several(self) -> bool:
        return self.drawn is not None

    def samples(self) -> list[Row]:
        """A few held-out rows, or training rows where there are none; of each dataset in turn."""

        def rows(part: Part) -> Iterator[Any]:
            source: Any = part.train if part.test is None else part.test
            return islice(source, _SAMPLED)

        turns = zip_longest(*(rows(part) for part in self.parts))
        return [row for turn in turns for row in turn if row is not None][:_SAMPLED]

    def mixed(self, encode: Encode) -> Mixed:
        """All rows, encoded part by part and put in order; rows that `encode` refuses are left out.

        Raises a `DataError` where the datasets' columns do not fit together.
        """
        trained = [encode(part, part.train, "train") for part in self.parts]
        held_out = {
            part.name: encode(part, part.test, "test").rows
            for part in self.parts
            if part.test is not None
        }
        if self.drawn is None:
            only = trained[0].rows
            return Mixed(only, next(iter(held_out.values()), None), (len(only),))
        from datasets import DatasetDict, concatenate_datasets

        names = [part.name for part in self.parts]
        sets = aligned([done.rows for done in trained], names)
        places, part_of = _places(self.drawn, [done.refused for done in trained], self.parts)
        starts = np.cumsum([0, *(len(rows) for rows in sets)])[:-1]
        together = concatenate_datasets(sets).select(starts[part_of] + places)
        counts = np.bincount(part_of, minlength=len(sets))
        together_held: Any = held_out
        evaluation = DatasetDict(together_held) if held_out else None
        return Mixed(together, evaluation, tuple(int(count) for count in counts))


def _places(
    drawn: Drawn, refused: list[dict[int, str]], parts: tuple[Part, ...]
) -> tuple[Indices, Indices]:
    """(place in its encoded part, part) of every row that was not refused, in order."""
    places = drawn.row.copy()
    kept = np.ones(len(drawn), bool)
    for at, (gone, part) in enumerate(zip(refused, parts, strict=True)):
        there = np.ones(len(part.train), bool)
        there[list(gone)] = False
        mine = drawn.part == at
        kept[mine] = there[drawn.row[mine]]
        places[mine] = (np.cumsum(there) - 1)[drawn.row[mine]]
    return places[kept], drawn.part[kept]


# ---- columns -------------------------------------------------------------------------------------


def aligned(sets: list[Dataset], names: list[str]) -> list[Dataset]:
    """Datasets with the same columns, so that they can be concatenated: a column or a message's
    key that one of them lacks is empty there.

    Raises a `DataError` that names two datasets whose columns cannot be one.
    """
    from datasets import Features

    merged: dict[str, Any] = {}
    owner: dict[str, str] = {}
    for rows, name in zip(sets, names, strict=True):
        for column, kind in rows.features.items():
            try:
                merged[column] = _one(merged[column], kind) if column in merged else kind
            except TypeError:
                raise DataError(
                    f"{owner[column]} and {name} cannot be mixed: {column} is text in one and "
                    "messages in the other. Prepare both the same way."
                ) from None
            owner.setdefault(column, name)
    features = Features(merged)
    return [rows if rows.features == features else _cast(rows, features) for rows in sets]


def _one(known: Any, other: Any) -> Any:
    """One feature for two; `TypeError` where there is none."""
    from datasets import List, Value

    if known == other:
        return known
    if isinstance(known, dict) and isinstance(other, dict):
        keys = dict.fromkeys([*known, *other])
        return {
            key: _one(known.get(key, other.get(key)), other.get(key, known.get(key)))
            for key in keys
        }
    if isinstance(known, List) and isinstance(other, List):
        return List(_one(known.feature, other.feature))
    if isinstance(known, Value) and isinstance(other, Value):
        for empty, full in ((known, other), (other, known)):
            if empty.dtype == "null":
                return full
        if {known.dtype, other.dtype} <= {"int32", "int64", "float64", "float32"}:
            return Value("float64" if "float" in known.dtype + other.dtype else "int64")
    raise TypeError


def _cast(rows: Dataset, features: Any) -> Dataset:
    for column in features:
        if column not in rows.column_names:
            rows = rows.add_column(column, [None] * len(rows))  # pyright: ignore[reportCallIssue]
    return rows.select_columns(list(features)).cast(features)
