"""Where two annotators agree: their votes on the same pairs, in a table of two by two."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from typing import Any

from studio.labels.types import UNDECIDED, JudgedItem, source_label

_DECISIVE = ("a", "b")


def two_raters(items: Sequence[JudgedItem]) -> dict[str, Any] | None:
    """The two annotators with the most pairs in common, and how often each preferred what.

    `cells[i][j]` counts the pairs on which `people[0]` preferred `sides[i]` and `people[1]`
    preferred `sides[j]`; `undecided` those that at least one of them left even. Only pairs of the
    two models that most of their common pairs compare; None where nobody shares a pair.
    """
    shared = Counter(
        (two, _models(item)) for item in items for two in combinations(sorted(_given(item)), 2)
    )
    if not shared:
        return None
    people, sides = max(shared, key=lambda each: (shared[each], each))
    cells, undecided = [[0, 0], [0, 0]], 0
    for item in items:
        given = _given(item)
        if _models(item) != sides or not all(name in given for name in people):
            continue
        first, second = (given[name] for name in people)
        if first in _DECISIVE and second in _DECISIVE:
            cells[_row(item, first, sides)][_row(item, second, sides)] += 1
        else:
            undecided += 1
    return {"people": people, "sides": sides, "cells": cells, "undecided": undecided}


def _given(item: JudgedItem) -> dict[str, str]:
    """Each annotator's choice on an item; skipped and flagged ones are none."""
    return {vote.annotator: vote.choice for vote in item.votes if vote.choice not in UNDECIDED}


def _models(item: JudgedItem) -> tuple[str, str]:
    """Both sides' labels, in an order that is the same whichever answer was stored first."""
    first, second = sorted((source_label(item.source_a), source_label(item.source_b)))
    return first, second


def _row(item: JudgedItem, choice: str, sides: tuple[str, str]) -> int:
    chosen = source_label(item.source_a if choice == "a" else item.source_b)
    if sides[0] == sides[1]:  # two answers of one model: the stored order tells them apart
        return _DECISIVE.index(choice)
    return sides.index(chosen)
