"""Scores that stand beside the sides of a preference, against which side is said to be better."""

from __future__ import annotations

from collections.abc import Iterator

from studio.data.checks.row_checks import Finding
from studio.data.formats import column_names
from studio.data.types import Row


def against_scores(raw: Row) -> Iterator[Finding]:
    """A warning where the file's own numbers score the rejected side above the chosen one."""
    scores = {name: value for name, value in raw.items() if _is_score(name, value)}
    for name, value in scores.items():
        words = _words(name)
        other = next((n for n in scores if n != name and _opposite(words, _words(n))), None)
        if other is not None and scores[other] > value:
            yield (
                "scored_lower",
                f'"{name}" is {value:g} and "{other}" is {scores[other]:g}: the rejected answer '
                "has the higher score.",
                name,
                "warning",
            )
            return


def _words(name: str) -> list[str]:
    return column_names.key(name).split("_")


def _is_score(name: str, value: object) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and bool({*column_names.SCORE_STEMS, "avg"} & set(_words(name)))


def _opposite(better: list[str], worse: list[str]) -> bool:
    """Whether two names differ in one word only: `score_chosen`, `score_rejected`."""
    differ = [pair for pair in zip(better, worse, strict=False) if pair[0] != pair[1]]
    if len(better) != len(worse) or len(differ) != 1:
        return False
    return differ[0] in column_names.SIDES
