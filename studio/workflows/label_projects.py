"""Projects from existing pairs: those of a prepared dataset or of an earlier project.

The latter are labeled again, with the disagreement on each in their provenance.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from studio.core.errors import DataError
from studio.labels.pair_filter import items_from_rows
from studio.labels.types import UNDECIDED, JudgedItem, Pair
from studio.rewards.best_of_n import disagreement

if TYPE_CHECKING:
    from studio.engine.studio import Studio
    from studio.labels.types import Added, Project

LABELLABLE = ("comparison", "preference")
"""Types of datasets whose rows hold two answers."""


def from_dataset(
    studio: Studio, dataset: str, name: str = "", **rules: Any
) -> tuple[Project, Added]:
    """A project with every row of a prepared comparison or preference dataset.

    `rules` are `create_project`'s. Raises `DataError` for rows without two answers.
    """
    store, given = studio.labels, studio.datasets.get(dataset)
    if given.type not in LABELLABLE:
        raise DataError(f"{given.name} holds {given.type} rows; labeling needs two answers.")
    rows: list[Any] = [row for split in given.rows for row in given.load(split)]
    items = items_from_rows(rows, {"dataset": given.id, "dataset_name": given.name})
    project = store.create_project(
        name or store.free_name(given.name),
        provenance={"dataset": given.id, "fingerprint": given.fingerprint},
        **rules,
    )
    return project, store.add_items(project.id, items)


def from_project(
    studio: Studio, before: str, judge: str | None = None, name: str = "", **rules: Any
) -> tuple[Project, Added]:
    """A project with another one's pairs, ordered by how far the reward run `judge` disagrees."""
    former = studio.labels.get(before)
    judged = list(studio.labels.labelled_pairs(former.id))
    surprises = margins(studio, judge, judged) if judge else None
    project = studio.labels.create_project(
        name or studio.labels.free_name(f"{former.name} again"[:110]),
        provenance={"again": former.id},
        **rules,
    )
    return project, studio.labels.add_items(project.id, items_again(judged, surprises))


def margins(studio: Studio, run: str, judged: Sequence[JudgedItem]) -> list[float]:
    """How much more a finished reward run gives to answer a than to answer b, one an item."""
    prompts = [item.prompt for item in judged for _ in range(2)]
    answers = [answer for item in judged for answer in (item.answer_a, item.answer_b)]
    scores = [one.total for one in studio.reward([f"model:{run}"], None, prompts, answers).result()]
    return [first - second for first, second in zip(scores[::2], scores[1::2], strict=True)]


def items_again(judged: Sequence[JudgedItem], gaps: Sequence[float] | None = None) -> list[Pair]:
    """The same pairs as new items; their provenance says what `order_pairs` sorts by.

    `disagreement` is, from 0 to 1, the share of votes against the majority, or, with a reward
    model's `gaps`, how far it and the votes are apart (`studio.rewards.best_of_n.disagreement`).
    """
    return [
        Pair(
            item.prompt,
            item.answer_a,
            item.answer_b,
            item.source_a,
            item.source_b,
            {
                "again": item.item_id,
                "disagreement": _among(item) if gaps is None else _from(gaps[at], item),
            },
        )
        for at, item in enumerate(judged)
    ]


def _among(item: JudgedItem) -> float:
    said = Counter(vote.choice for vote in item.votes if vote.choice not in UNDECIDED)
    return 1 - max(said.values()) / said.total() if said else 0.0


def _from(gap: float, item: JudgedItem) -> float:
    said = Counter(vote.choice for vote in item.votes)
    return disagreement(gap, said["a"], said["b"])
