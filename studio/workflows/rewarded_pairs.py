"""Pairs of which a reward chose one answer, as rows to train on and as a project for people.

The margin stays with each: a reward model may train on it, and "most informative first" asks about
the smallest first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from studio.core.errors import DataError
from studio.core.formatting import plural
from studio.labels.types import Pair
from studio.rewards.pairs import RewardedPair

if TYPE_CHECKING:
    from studio.data import PreparedDataset
    from studio.engine.studio import Studio
    from studio.labels.types import Project


def rows(pairs: Sequence[RewardedPair]) -> list[dict[str, Any]]:
    """Preference rows with their margins, as TRL takes them."""
    return [
        {
            "prompt": pair.prompt,
            "chosen": [{"role": "assistant", "content": pair.chosen}],
            "rejected": [{"role": "assistant", "content": pair.rejected}],
            "margin": round(pair.margin, 4),
        }
        for pair in pairs
    ]


def dataset(
    studio: Studio, pairs: Sequence[RewardedPair], name: str, provenance: Mapping[str, Any]
) -> PreparedDataset:
    """The pairs as a preference dataset; a `DataError` where there are none."""
    _check(pairs)
    return studio.datasets.from_rows(rows(pairs), "preference", name, dict(provenance))


def project(
    studio: Studio,
    pairs: Sequence[RewardedPair],
    name: str,
    source: Mapping[str, Any],
    provenance: Mapping[str, Any],
) -> tuple[Project, int]:
    """The pairs for people to check, smallest margins first, and how many there are.

    Args:
        source: who wrote the answers (`labels.answer_source.source_of`).

    Raises a `DataError` where there are none.
    """
    _check(pairs)
    labels = studio.labels
    made = labels.create_project(
        labels.free_name(name), order="uncertain", provenance=dict(provenance)
    )
    items = []
    for at, pair in enumerate(pairs):
        sides = (pair.chosen, pair.rejected)
        a, b = sides if at % 2 else reversed(sides)
        margin = pair.margin if at % 2 else -pair.margin
        both = dict(source)
        items.append(Pair(pair.prompt, a, b, both, both, {"margin": round(margin, 4)}))
    return made, labels.add_items(made.id, items).added


def _check(pairs: Sequence[RewardedPair]) -> None:
    if not pairs:
        raise DataError(
            "All answers to a prompt get the same reward, so there is no pair. Take several "
            "samples of each prompt, a higher temperature, or another reward."
        )


def said(pairs: Sequence[RewardedPair]) -> str:
    """How many pairs there are, and their mean margin."""
    mean = sum(pair.margin for pair in pairs) / len(pairs)
    return f"{plural(len(pairs), 'pair')}, mean margin {mean:.2f}"
