"""Which rows of a dataset helped a target, and the dataset without those that did not.

The target are the run's held-out rows, or any other: rows with known answers, a project's votes.

`why.influence` weighs the rows of a run; here they become places in one dataset, worst first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from studio.attribution.report import shown
from studio.attribution.request import refusal
from studio.core.errors import ConfigError, DataError
from studio.core.formatting import percent_text
from studio.data import PreparedDataset
from studio.data.prepared.left_out import without
from studio.runs.store import Run
from studio.training.train_dataset import datasets_of

if TYPE_CHECKING:
    from studio.engine.studio import Studio


@dataclass(frozen=True)
class Ranking:
    """A dataset's training rows as a run weighed them, worst first.

    `scores[i]` is of row `rows[i]`: the product of its gradient with the target's, below 0 where it
    pushed their loss up. With `by` "own" there was no target: scores are the squared norm of a
    row's gradient as a share of the largest, highest first. `target` names it; "" for the run's own
    held-out rows.
    """

    run: str
    dataset: str
    by: str
    rows: tuple[int, ...]
    scores: tuple[float, ...]
    target: str = ""

    @property
    def harmful(self) -> int:
        """How many rows pushed the target's loss up."""
        return sum(score < 0 for score in self.scores) if self.by == "help" else 0


def runs_on(studio: Studio, dataset: str) -> list[Run]:
    """Runs that trained on a dataset and can be asked about its rows; newest first."""
    found = []
    for run in studio.runs.list():
        trained = {each.get("id") for each in run.data.get("datasets") or [run.data]}
        if dataset in trained and refusal(run) is None:
            found.append(run)
    return found


def ranked(
    studio: Studio, run: Run, dataset: str, weighed: Mapping[str, Any], target: str = ""
) -> Ranking:
    """One dataset's part of what `why.influence` found.

    A pair that was trained as two rows counts as their sum. Raises a `DataError` for a dataset
    that the run did not train on.
    """
    sources = [source.id for source in datasets_of(run.recipe, run, studio.datasets)]
    if dataset not in sources:
        raise DataError(f"{run.name} did not train on {studio.datasets.get(dataset).name}.")
    by = "help" if "help" in weighed else "own"
    places = np.asarray(weighed["places"])
    mine = places[:, 0] == sources.index(dataset)
    rows, where = np.unique(places[mine, 1], return_inverse=True)
    sums = np.zeros(len(rows))
    np.add.at(sums, where, np.asarray(weighed[by], dtype=np.float64)[mine])
    if by == "own":
        sums = sums / max(float(sums.max(initial=0.0)), 1e-30)
    order = np.argsort(sums if by == "help" else -sums, kind="stable")
    worst_first = tuple(rows[order].tolist()), tuple(sums[order].tolist())
    return Ranking(run.id, dataset, by, *worst_first, target if by == "help" else "")


def texts(studio: Studio, ranking: Ranking, count: int) -> list[dict[str, Any]]:
    """The first `count` rows of a ranking with their texts, as `ui.traced_rows` shows them."""
    dataset = studio.datasets.get(ranking.dataset)
    return [
        shown(dataset.page(row, 1)[0])
        | {"dataset": dataset.name, "row": row, "score": score, "stands_out": True}
        for row, score in zip(ranking.rows[:count], ranking.scores[:count], strict=True)
    ]


def leave_out(studio: Studio, ranking: Ranking, count: int) -> PreparedDataset:
    """A dataset without the first `count` rows of a ranking; its held-out rows stay."""
    return without(
        studio.datasets, studio.datasets.get(ranking.dataset), worst(ranking, count),
        f"least useful to {aim(studio, ranking)}",
    )  # fmt: skip


def aim(studio: Studio, ranking: Ranking) -> str:
    """What the rows were weighed by, in words."""
    return ranking.target or f"the held-out rows of {studio.runs.get(ranking.run).name}"


def keep_most_useful(studio: Studio, ranking: Ranking, share: float) -> PreparedDataset:
    """A dataset of the most useful `share` (0 to 1) of the rows, by what they were weighed by."""
    if ranking.by != "help":
        name = studio.runs.get(ranking.run).name
        raise ConfigError(
            f"{name} held no rows out, so which rows are useful is not known. Weigh the rows by a "
            "target of your own: a file of rows with answers, a dataset, or a project's votes."
        )
    if not 0 < share < 1:
        raise ConfigError(f"Keep a share between 0 % and 100 %, not {percent_text(share)}.")
    kept = max(1, round(share * len(ranking.rows)))
    return leave_out(studio, ranking, len(ranking.rows) - kept)


def worst(ranking: Ranking, count: int) -> Sequence[int]:
    """Places of the first `count` rows. Raises a `ConfigError` for none and for all."""
    if not 0 < count < len(ranking.rows):
        raise ConfigError(
            f"Leave out 1 to {len(ranking.rows) - 1:,} of the {len(ranking.rows):,} rows, "
            f"not {count:,}."
        )
    return ranking.rows[:count]
