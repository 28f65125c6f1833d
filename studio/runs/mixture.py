"""Several datasets in one run: whether they can be mixed, and which rows are drawn.

Rows are concatenated to shares as TRL means them, or interleaved by `datasets.interleave_datasets`.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt

from studio.core.errors import DataError
from studio.core.formatting import thousands
from studio.runs.fields import RecipeFields

Indices = npt.NDArray[np.int64]


def validation_errors(values: RecipeFields) -> Iterator[str]:
    """Why a recipe's mixture is invalid: sentences without their period."""
    entries = values.datasets
    if not entries:
        return
    if values.dataset_name != entries[0].path:
        yield (
            f"dataset_name is {values.dataset_name!r} and the first of datasets "
            f"{entries[0].path!r}; leave dataset_name out"
        )
    where = [(entry.path, entry.name, entry.split) for entry in entries]
    if twice := next((one for one in where if where.count(one) > 1), None):
        yield f"datasets names {twice[0]} twice; give it once, with a larger fraction"
    if len({entry.fraction is None for entry in entries}) > 1:
        yield (
            "give a fraction to all datasets or to none; one alone may go without where the "
            "others come to less than 1"
        )


@dataclass(frozen=True)
class Drawn:
    """The rows of a mixture in order: `part` says which dataset each comes from, `row` its place
    there. Both (rows,)."""

    part: Indices
    row: Indices

    def __len__(self) -> int:
        return len(self.part)

    def counts(self, parts: int) -> list[int]:
        """Rows from each of the datasets."""
        return [int(count) for count in np.bincount(self.part, minlength=parts)]


def draw(recipe: RecipeFields, sizes: Sequence[int]) -> Drawn:
    """Which rows of datasets with `sizes` training rows a recipe trains on, by its seed.

    Concatenated, the mixture is as large as it can be with no row twice, as in TRL; what is left
    out of a dataset is left out at random. Interleaved, `stopping_strategy` says when it ends.

    Raises `DataError` where a dataset is empty, or its share comes to no row.
    """
    for entry, size in zip(recipe.datasets, sizes, strict=True):
        if not size:
            raise DataError(f"{entry.path} has no training rows; leave it out of datasets.")
    weights = [entry.fraction for entry in recipe.datasets]
    shares = None
    if None not in weights:
        known = np.array(weights, np.float64)
        shares = known / known.sum()
    if recipe.mixture == "interleave":
        drawn = _interleaved(recipe, sizes, shares)
    else:
        drawn = _concatenated(recipe, sizes, shares)
    for entry, count in zip(recipe.datasets, drawn.counts(len(sizes)), strict=True):
        if not count:
            raise DataError(
                f"{entry.path} gets none of the mixture's {thousands(len(drawn))} rows; raise its "
                "fraction, or leave it out of datasets."
            )
    return drawn


def _concatenated(
    recipe: RecipeFields, sizes: Sequence[int], shares: npt.NDArray[np.float64] | None
) -> Drawn:
    counts = list(sizes)
    if shares is not None:
        total = min(size / share for size, share in zip(sizes, shares, strict=True))
        counts = [
            min(size, round(share * total)) for size, share in zip(sizes, shares, strict=True)
        ]
    generator = np.random.default_rng(recipe.seed)
    rows = [
        np.sort(generator.choice(size, count, replace=False)) if count < size else np.arange(size)
        for size, count in zip(sizes, counts, strict=True)
    ]
    return Drawn(np.repeat(np.arange(len(sizes)), counts), np.concatenate(rows).astype(np.int64))


def _interleaved(
    recipe: RecipeFields, sizes: Sequence[int], shares: npt.NDArray[np.float64] | None
) -> Drawn:
    known = None if shares is None else tuple(shares.tolist())
    return _turns(known, tuple(sizes), recipe.seed, recipe.stopping_strategy)


@functools.lru_cache(maxsize=8)  # the form asks again at every change
def _turns(
    shares: tuple[float, ...] | None, sizes: tuple[int, ...], seed: int, stopping_strategy: Any
) -> Drawn:
    library: Any = import_module("datasets")

    places = [
        library.Dataset.from_dict({"part": np.full(size, at), "row": np.arange(size)})
        for at, size in enumerate(sizes)
    ]
    mixed = library.interleave_datasets(
        places,
        probabilities=list(shares) if shares else None,
        seed=seed,
        stopping_strategy=stopping_strategy,
    )
    table: Any = mixed.with_format("arrow")[:]
    return Drawn(*(table.column(name).to_numpy().copy() for name in ("part", "row")))
