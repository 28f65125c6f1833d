"""Bias of a preference set: answer length, and which answer was shown first."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np

from studio.core.messages import Message
from studio.data.types import JsonObject, Row


@dataclass(frozen=True)
class PreferenceReport:
    """Lengths are in characters of the answers.

    `longer_wins` and `shorter_wins` are shares of all pairs, the rest are of equal length.
    `length_ratio` is the median of chosen over rejected. `pick_longer` is the accuracy of a judge
    that always picks the longer answer and tosses a coin at equal length. `first_wins` is the share
    of pairs whose better answer stood first in the source, where the source shows two places.
    """

    pairs: int
    longer_wins: float
    shorter_wins: float
    length_ratio: float
    chosen_length: float
    rejected_length: float
    pick_longer: float
    first_wins: float | None = None

    def as_dict(self) -> JsonObject:
        """JSON-able form."""
        return asdict(self)


class PreferenceTally:
    """Lengths of both answers, pair by pair; nine bytes a pair."""

    def __init__(self) -> None:
        self._chosen, self._rejected, self._first = array("i"), array("i"), array("b")

    def see(self, row: Row, raw: Row, first: str | None) -> None:
        """The next pair, with its record and the column of the answer that is shown first."""
        self._chosen.append(_length(row["chosen"]))
        self._rejected.append(_length(row["rejected"]))
        shown = raw.get(first) if first else None
        known = isinstance(shown, str) and shown in (_text(row["chosen"]), _text(row["rejected"]))
        self._first.append(int(shown == _text(row["chosen"])) if known else -1)

    def report(self) -> PreferenceReport | None:
        """The report over all pairs; None if there are none."""
        if not self._chosen:
            return None
        chosen, rejected = np.array(self._chosen, np.int64), np.array(self._rejected, np.int64)
        longer, shorter = float(np.mean(chosen > rejected)), float(np.mean(chosen < rejected))
        places = np.array(self._first, np.int8)
        known = places[places >= 0]
        return PreferenceReport(
            pairs=len(chosen),
            longer_wins=longer,
            shorter_wins=shorter,
            length_ratio=float(np.median(chosen / np.maximum(1, rejected))),
            chosen_length=float(chosen.mean()),
            rejected_length=float(rejected.mean()),
            pick_longer=longer + (1 - longer - shorter) / 2,
            first_wins=float(known.mean()) if len(known) else None,
        )


def preference_report(rows: Iterable[Row]) -> PreferenceReport | None:
    """The report over preference rows of a prepared dataset; None where there are none."""
    tally = PreferenceTally()
    for row in rows:
        tally.see(row, {}, None)
    return tally.report()


def _text(side: str | list[Message]) -> str:
    return side if isinstance(side, str) else side[-1]["content"]


def _length(side: str | list[Message]) -> int:
    if isinstance(side, str):
        return len(side)
    return sum(len(turn["content"]) for turn in side if turn["role"] == "assistant")
