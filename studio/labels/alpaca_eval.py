"""AlpacaEval's annotations: a row a judged pair, in AlpacaEval's own columns.

    instruction, output_1, output_2, generator_1, generator_2, annotator, preference, dataset

`preference` is 1 for output_1, 2 for output_2, 1.5 or 0 for a draw, anything between as a weighted
judge gives it, and null where the judge's reply could not be read. Other tools write the same
columns with 0 for output_1 to 1 for output_2; where a file could be either, it has to be said.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from studio.core.errors import ConfigError, DataError
from studio.labels.types import DEFAULT_STRENGTH, Pair, as_messages, clean_text
from studio.metrics.bootstrap import bootstrap_mean, length_controlled

Scale = Literal["", "1-2", "0-1"]
Given = dict[str, tuple[str, int]]  # by rater: choice and strength
_NEEDED = ("instruction", "output_1", "output_2", "preference")
_RANGES = {"1-2": "0 or 1.5 (draw), or 1 (output_1) to 2 (output_2)", "0-1": "0 to 1"}


def is_alpaca_eval(columns: Sequence[str]) -> bool:
    """Whether a table's columns are AlpacaEval's."""
    return all(name in columns for name in _NEEDED)


def read_rows(
    rows: Sequence[Mapping[str, Any]], file: str, scale: Scale = ""
) -> tuple[list[Pair], list[Given], list[dict[str, Any]]]:
    """(pairs, beside each what every annotator said, the file's own win rates).

    Rows that differ by their annotator only are votes on one pair. Raises `DataError` naming the
    file and row, and `ConfigError` where the scale of the preferences has to be told.
    """
    wheres = [f"{file}, row {number}" for number in range(1, len(rows) + 1)]
    told = [_number(row["preference"], where) for row, where in zip(rows, wheres, strict=True)]
    scale = scale or _scale(told, file)
    scores = [_score(value, scale, where) for value, where in zip(told, wheres, strict=True)]
    weighted = any(score not in (None, 0.0, 0.5, 1.0) for score in scores)
    places: dict[tuple[Any, ...], int] = {}
    made: list[Pair] = []
    given: list[Given] = []
    for row, score, where in zip(rows, scores, wheres, strict=True):
        annotator = str(row.get("annotator") or "judge")
        key = _key(row)
        at = places.get(key)
        if at is None or annotator in given[at]:  # the same annotator's second row is its own pair
            at = places[key] = len(made)
            made.append(_pair(row, where))
            given.append({})
        if score is not None:
            given[at][annotator] = _vote(score, weighted)
    return made, given, rates(rows, scores)


def rates(
    rows: Sequence[Mapping[str, Any]], scores: Sequence[float | None]
) -> list[dict[str, Any]]:
    """For each two generators the win rate of the second, weighted as the file's preferences are.

    `win_rate` is AlpacaEval's; `length_controlled` is its logistic form. Its third term, an
    instruction's difficulty, AlpacaEval takes from its own leaderboard; here it is taken from the
    other models that the file holds against the same baseline, and left out where these are fewer
    than two (`difficulty_from` counts them). Intervals are over instructions; several annotators'
    rows on one pair count once.
    """
    by_models: dict[tuple[str, str], dict[tuple[Any, ...], list[float]]] = {}
    for row, score in zip(rows, scores, strict=True):
        if score is not None:
            found = by_models.setdefault(_generators(row), defaultdict(list))
            found[_key(row)].append(score)
    figures: list[dict[str, Any]] = []
    for (first, second), pairs in by_models.items():
        means = [math.fsum(each) / len(each) for each in pairs.values()]
        asked = [key[0] for key in pairs]
        clusters: dict[str, list[float]] = defaultdict(list)
        for instruction, mean in zip(asked, means, strict=True):
            clusters[instruction].append(mean)
        own, other = ([len(key[side]) for key in pairs] for side in (2, 1))
        raw = bootstrap_mean(list(clusters.values()))
        others = _others(by_models, first, second)
        hard = _difficulty(asked, others) if len(others) >= LEAST_MODELS else None
        fair = length_controlled(means, own, other, asked, difficulty=hard)
        figures.append(
            {
                "model": second,
                "baseline": first,
                "win_rate": raw.as_dict() if raw else None,
                "length_controlled": fair.rate.as_dict() if fair else None,
                "difficulty_from": len(others) if hard is not None else 0,
            }
        )
    return figures


Scores = Mapping[tuple[str, str], Mapping[tuple[Any, ...], Sequence[float]]]
LEAST_MODELS = 2


def _others(scores: Scores, baseline: str, model: str) -> list[dict[str, float]]:
    """Of every other model against the baseline, its mean score by instruction."""
    found: list[dict[str, float]] = []
    for (first, second), pairs in scores.items():
        if first != baseline or second in (model, baseline):
            continue
        told: dict[str, list[float]] = defaultdict(list)
        for key, each in pairs.items():
            told[key[0]] += each
        found.append({asked: math.fsum(each) / len(each) for asked, each in told.items()})
    return found


def _difficulty(asked: Sequence[str], others: Sequence[Mapping[str, float]]) -> list[float]:
    """Log-odds with which other models win on each instruction; 0 where none answered it."""
    found: list[float] = []
    for instruction in asked:
        told = [scores[instruction] for scores in others if instruction in scores]
        share = (math.fsum(told) + 0.5) / (len(told) + 1)  # never 0 or 1
        found.append(math.log(share / (1 - share)))
    return found


def _key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    texts = (_asked(row), *(str(row[side] or "") for side in ("output_1", "output_2")))
    return (*texts, *_generators(row))


def _asked(row: Mapping[str, Any]) -> str:
    more = row.get("input")
    return f"{row['instruction']}\n\n{more}" if more else str(row["instruction"] or "")


def _generators(row: Mapping[str, Any]) -> tuple[str, str]:
    return str(row.get("generator_1") or "output 1"), str(row.get("generator_2") or "output 2")


def _pair(row: Mapping[str, Any], where: str) -> Pair:
    if not row["instruction"]:
        raise DataError(f"{where}: there is no instruction.")
    one, two = _generators(row)
    first, second = (clean_text(str(row[side] or "")) for side in ("output_1", "output_2"))
    meta = {"row": int(where.rsplit(" ", 1)[1])}
    if row.get("dataset"):
        meta["dataset"] = row["dataset"]
    prompt = as_messages(_asked(row), where)
    return Pair(prompt, first, second, {"label": one}, {"label": two}, meta)


def _number(value: Any, where: str) -> float | None:
    """A preference as it stands in the file; None where the judge gave none."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    try:
        number = math.inf if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.inf
    if math.isinf(number):
        raise DataError(f"{where}: preference is a number or null, not {value!r}.")
    return None if math.isnan(number) else number


def _scale(told: Sequence[float | None], file: str) -> Scale:
    known = [value for value in told if value is not None]
    if any(value > 1 for value in known):
        return "1-2"
    if any(0 < value < 1 for value in known):
        return "0-1"
    if known:
        raise ConfigError(
            f"{file} has no preference but {' and '.join(f'{v:g}' for v in sorted(set(known)))}, "
            "which says two things: with AlpacaEval's own numbers 1 is output_1 and 0 a draw "
            "(labels import --scale 1-2), with a share 1 is output_2 and 0 output_1 "
            "(labels import --scale 0-1). Say which."
        )
    raise DataError(f"{file} holds no vote: preference is empty in every row.")


def _score(value: float | None, scale: Scale, where: str) -> float | None:
    """Preference for output_2, 0 to 1."""
    if value is None:
        return None
    if scale == "1-2":
        value = 0.5 if value == 0 else value - 1
    if not 0 <= value <= 1:
        given = value + 1 if scale == "1-2" else value
        raise DataError(f"{where}: preference is {_RANGES[scale]}, not {given:g}.")
    return value


def _vote(score: float, weighted: bool) -> tuple[str, int]:
    """The side and how clearly, 1 to 4; a judge without weights says nothing of the latter."""
    if score == 0.5:
        return "tie", DEFAULT_STRENGTH
    clear = min(4, 1 + int(8 * abs(score - 0.5)))
    return "b" if score > 0.5 else "a", clear if weighted else DEFAULT_STRENGTH
