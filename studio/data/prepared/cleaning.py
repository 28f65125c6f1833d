"""Cleaning and splitting: which rows are kept, in which order and split, step by step."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import orjson

from studio.core.errors import DataError, did_you_mean
from studio.core.messages import Message
from studio.data.checks.rouge_novelty import repeated
from studio.data.prepared import reading as reasons
from studio.data.prepared.contamination import overlapping
from studio.data.prepared.prepare_options import PrepareOptions
from studio.data.prepared.reading import SourceReading
from studio.data.types import JsonObject, Progress, Row

MIN_ROWS_FOR_TEST = 20
"""Below this many rows the split keeps everything for training."""
EXAMPLES = 3

Dropped = tuple[str, JsonObject, np.ndarray]
"""A step's name, its settings, and the positions of the rows it drops."""


@dataclass(frozen=True)
class Cleaned:
    """Positions of the kept rows for each split, in order, and what was done."""

    splits: dict[str, np.ndarray]
    steps: list[JsonObject]


@dataclass(frozen=True)
class StepPreview:
    """What a step would do: rows dropped, with a few of them (place and row)."""

    step: str
    dropped: int
    settings: JsonObject
    examples: list[JsonObject]


def clean(
    reading: SourceReading, options: PrepareOptions, progress: Progress | None = None
) -> Cleaned:
    """Decide about every row of a reading. Raises `DataError` where no row is left."""
    kept, steps = _first_steps(reading)
    for name, settings, dropped in _dropping(reading, options, progress):
        kept = np.setdiff1d(kept, dropped, assume_unique=True)
        steps.append({"step": name, **settings, "dropped": len(dropped)})
    if not len(kept):
        raise DataError(_none_left(reading, steps))
    kept = _ordered(kept, options, steps)
    splits = split(kept, reading.prompts, options)
    steps.append(
        {
            "step": "split",
            "test_fraction": options.test_fraction,
            "by_prompt": options.split_by_prompt,
            "seed": options.seed,
            **{name: len(rows) for name, rows in splits.items()},
        }
    )
    return Cleaned(splits, steps)


def preview(
    reading: SourceReading, options: PrepareOptions, progress: Progress | None = None
) -> list[StepPreview]:
    """What each chosen step would drop, with examples; nothing is written."""
    found = []
    for name, settings, dropped in _dropping(reading, options, progress):
        shown = [reading.at(int(at)) for at in dropped[:EXAMPLES]]
        found.append(StepPreview(name, len(dropped), settings, shown))
    return found


def _first_steps(reading: SourceReading) -> tuple[np.ndarray, list[JsonObject]]:
    kept = np.flatnonzero(reading.flags & reasons.UNUSABLE == 0)
    format = reading.stream.format
    steps: list[JsonObject] = [
        {"step": "read", "rows": reading.rows},
        {
            "step": "convert",
            "format": format.name,
            "mapping": dict(format.mapping),
            "dropped": reading.rows - len(kept),
        },
    ]
    return kept, steps


def _dropping(
    reading: SourceReading, options: PrepareOptions, progress: Progress | None
) -> Iterator[Dropped]:
    """The chosen steps one after the other, each over the rows the ones before it left."""
    kept = np.flatnonzero(reading.flags & reasons.UNUSABLE == 0)
    for name, settings, choose in _chosen(reading, options, progress):
        dropped = choose(kept)
        yield name, settings, dropped
        kept = np.setdiff1d(kept, dropped, assume_unique=True)


Choose = Callable[[np.ndarray], np.ndarray]


def _chosen(
    reading: SourceReading, options: PrepareOptions, progress: Progress | None
) -> Iterator[tuple[str, JsonObject, Choose]]:
    preference = reading.stream.format.type == "preference"

    def flagged(flag: int) -> Choose:
        return lambda kept: kept[reading.flags[kept] & flag > 0]

    if options.drop_empty:
        yield "drop_empty", {}, flagged(reasons.EMPTY)
    if options.drop_equal and preference:
        yield "drop_equal", {}, flagged(reasons.EQUAL)
    if options.min_words:
        least = options.min_words
        yield "min_words", {"words": least}, lambda kept: kept[_words(reading, kept)[0] < least]
    if options.max_words:
        most = options.max_words
        yield "max_words", {"words": most}, lambda kept: kept[_words(reading, kept)[1] > most]
    if options.dedupe:
        yield "dedupe", {}, flagged(reasons.DUPLICATE)
    if options.drop_near:
        yield "drop_near", {}, flagged(reasons.NEAR)
    if options.drop_contradictions and preference:
        yield "drop_contradictions", {}, flagged(reasons.CONTRADICTION)
    if options.novelty:
        share = options.novelty
        yield (
            "novelty",
            {"rouge_l": share},
            lambda kept: kept[repeated(_rows(reading, kept), share, progress)],
        )
    if options.held_out:
        other = options.held_out
        yield (
            "held_out",
            {"source": other},
            lambda kept: kept[overlapping(_rows(reading, kept), other, progress)],
        )
    if options.balance:
        column = options.balance
        yield "balance", {"column": column}, lambda kept: _surplus(reading, kept, column, options)


def _rows(reading: SourceReading, positions: np.ndarray) -> Iterator[Row]:
    for raw in reading.spool.raw(positions):
        yield orjson.loads(raw)


def _words(reading: SourceReading, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Words of the shortest and of the longest answer of each row."""
    type = reading.stream.format.type
    counts = [_answers(row, type) for row in _rows(reading, positions)]
    return (
        np.array([min(found, default=0) for found in counts], np.int64),
        np.array([max(found, default=0) for found in counts], np.int64),
    )


_ANSWERS = {
    "language_modeling": ["text"],
    "prompt_completion": ["completion"],
    "unpaired_preference": ["completion"],
    "preference": ["chosen", "rejected"],
    "conversational": ["messages"],
    "prompt_only": ["prompt"],
    "embedding_pairs": ["anchor", "positive"],
    "scored_pairs": ["sentence1", "sentence2"],
}


def _answers(row: Row, type: str) -> list[int]:
    """Words of every answer of a row; of all the assistant's turns together in a conversation."""
    fields = _ANSWERS.get(type) or [name for name in row if name.startswith("answer")]
    return [_count(row[name], type) for name in fields]


def _count(value: str | list[Message], type: str) -> int:
    if isinstance(value, str):
        return len(value.split())
    answers = [turn for turn in value if type != "conversational" or turn["role"] == "assistant"]
    return sum(len(turn["content"].split()) for turn in answers)


def _surplus(
    reading: SourceReading, kept: np.ndarray, column: str, options: PrepareOptions
) -> np.ndarray:
    """Rows beyond the size of the smallest group, chosen by the seed."""
    known = reading.groups.columns()
    if column not in known:
        groups = ", ".join(f'"{name}" ({count} groups)' for name, count in known.items())
        raise DataError(
            f'"{column}" cannot be balanced by.{did_you_mean(column, known)} '
            + (f"It can be {groups}." if groups else "No column here has only a few values.")
        )
    codes = reading.groups.codes(column)[kept]
    groups, counts = np.unique(codes, return_counts=True)
    chance = np.random.default_rng([options.seed, 1])
    surplus = [
        chance.choice(kept[codes == group], count - counts.min(), replace=False)
        for group, count in zip(groups, counts, strict=True)
    ]
    return np.sort(np.concatenate(surplus))


def _ordered(kept: np.ndarray, options: PrepareOptions, steps: list[JsonObject]) -> np.ndarray:
    chance = random.Random(options.seed)
    order = kept.tolist()
    if options.sample is not None and options.sample < len(order):
        order = sorted(chance.sample(order, options.sample))
        steps.append({"step": "sample", "kept": len(order), "seed": options.seed})
    if options.shuffle:
        chance.shuffle(order)
        steps.append({"step": "shuffle", "seed": options.seed})
    return np.array(order, np.int64)


def _none_left(reading: SourceReading, steps: list[JsonObject]) -> str:
    reasons = ", ".join(
        f"{step['dropped']} by {step['step']}" for step in steps if step.get("dropped")
    )
    first = reading.problems.listed[0] if reading.problems.listed else None
    why = f" Row {first.row}: {first.message}" if first else ""
    name = reading.located.name
    return f"No row of {name} is left ({reasons or 'none were read'}).{why}"


def split(order: np.ndarray, prompts: np.ndarray, options: PrepareOptions) -> dict[str, np.ndarray]:
    """Train and test rows; no prompt is on both sides when splitting by prompt.

    At least one test row from 20 rows on; none below, or when all rows share one prompt.
    """
    if not options.test_fraction or len(order) < MIN_ROWS_FOR_TEST:
        return {"train": order}
    wanted = max(1, round(options.test_fraction * len(order)))
    keys = prompts[order] if options.split_by_prompt else np.arange(len(order))
    _, group_of, sizes = np.unique(keys, return_inverse=True, return_counts=True)
    chosen = np.zeros(len(sizes), bool)
    rows = 0
    for group in np.random.default_rng([options.seed, 0]).permutation(len(sizes)).tolist():
        if rows >= wanted:
            break
        if rows + sizes[group] <= 1.5 * wanted and sizes[group] < len(order):
            chosen[group] = True
            rows += sizes[group]
    if not rows and len(sizes) > 1:
        chosen[np.argmin(sizes)] = True
    held = chosen[group_of]
    return {"train": order[~held], "test": order[held]} if held.any() else {"train": order}
