"""Which rows to keep, in what order, on which side of the split; every step counted."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from studio.data.checks import prompt_digest
from studio.data.pipeline import Checked, Stream
from studio.data.spool import Spool
from studio.errors import ConfigError, DataError

_EMPTY = {"empty_field"}
_EQUAL = {"equal_sides"}
MIN_ROWS_FOR_TEST = 20
"""Below this many rows the split keeps everything for training."""


@dataclass(frozen=True)
class PrepareOptions:
    """What preparing does to the rows; recorded with the dataset.

    `min_words`: words each answer needs (0: any). `test_fraction` of the rows becomes the test
    split,
    by prompt unless `split_by_prompt` is off. `sample` keeps that many rows, chosen by `seed`.
    `format` and `mapping` overrule the detector; `config`, `split`, `token` are for Hub ids.
    """

    drop_empty: bool = True
    drop_equal: bool = True
    dedupe: bool = True
    min_words: int = 0
    test_fraction: float = 0.05
    split_by_prompt: bool = True
    seed: int = 42
    shuffle: bool = False
    sample: int | None = None
    limit: int | None = None
    format: str | None = None
    mapping: dict[str, str] | None = None
    config: str | None = None
    split: str | None = None
    token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not 0 <= self.test_fraction < 1:
            raise ConfigError(
                f"test_fraction is {self.test_fraction}; it is a share from 0 to below 1 "
                "(0.05 is usual)."
            )
        if self.min_words < 0:
            raise ConfigError(f"min_words is {self.min_words}; it cannot be negative.")
        if self.sample is not None and self.sample < 1:
            raise ConfigError(f"sample is {self.sample}; keep at least one row, or leave it out.")

    def recorded(self) -> dict[str, Any]:
        """What is stored with the dataset: everything but the token."""
        return {name: value for name, value in asdict(self).items() if name != "token"}


@dataclass
class Cleaned:
    """Kept rows in a spool, the order of each split, and what was done."""

    spool: Spool
    splits: dict[str, list[int]]
    steps: list[dict[str, Any]]


def clean(stream: Stream, options: PrepareOptions, folder: Path) -> Cleaned:
    """Read the stream to its end, keep what `options` keep, and decide order and split.

    Raises `DataError` where no row is left; the caller closes the spool.
    """
    spool = Spool(folder)
    try:
        prompts, dropped = _fill(spool, stream, options)
        if not len(spool):
            raise DataError(_none_left(stream, dropped))
        order = list(range(len(spool)))
        steps = _steps(stream, options, dropped)
        chance = random.Random(options.seed)
        if options.sample is not None and options.sample < len(order):
            order = sorted(chance.sample(order, options.sample))
            steps.append({"step": "sample", "kept": len(order), "seed": options.seed})
        if options.shuffle:
            chance.shuffle(order)
            steps.append({"step": "shuffle", "seed": options.seed})
        splits = split(order, prompts, options)
        steps.append(
            {
                "step": "split",
                "test_fraction": options.test_fraction,
                "by_prompt": options.split_by_prompt,
                "seed": options.seed,
                **{name: len(rows) for name, rows in splits.items()},
            }
        )
        return Cleaned(spool, splits, steps)
    except BaseException:
        spool.close()
        raise


def _fill(
    spool: Spool, stream: Stream, options: PrepareOptions
) -> tuple[list[bytes], Counter[str]]:
    prompts: list[bytes] = []
    dropped: Counter[str] = Counter()
    for checked in stream:
        reason = _reason(checked, options, stream.format.type)
        if reason or checked.row is None:
            dropped[reason or "unreadable"] += 1
            continue
        spool.append(checked.row)
        prompts.append(prompt_digest(checked.row)[:8])
    return prompts, dropped


def _reason(checked: Checked, options: PrepareOptions, type: str) -> str | None:
    """The step that drops this row, or None."""
    errors = checked.errors
    if checked.row is None or errors - _EMPTY - _EQUAL:
        return "unreadable"
    if errors & _EMPTY and options.drop_empty:
        return "drop_empty"
    if errors & _EQUAL and options.drop_equal:
        return "drop_equal"
    if options.min_words and _words(checked.row, type) < options.min_words:
        return "min_words"
    if options.dedupe and any(kind == "duplicate" for kind, *_ in checked.findings):
        return "dedupe"
    return None


def _words(row: dict[str, Any], type: str) -> int:
    """Words of the shortest answer of a row."""
    fields = {
        "language_modeling": ["text"],
        "prompt_completion": ["completion"],
        "unpaired_preference": ["completion"],
        "preference": ["chosen", "rejected"],
        "conversational": ["messages"],
        "prompt_only": ["prompt"],
    }.get(type) or [name for name in row if name.startswith("answer")]
    return min((_count(row[name], type) for name in fields), default=0)


def _count(value: Any, type: str) -> int:
    if isinstance(value, str):
        return len(value.split())
    answers = [turn for turn in value if type != "conversational" or turn["role"] == "assistant"]
    return sum(len(turn["content"].split()) for turn in answers)


def _steps(stream: Stream, options: PrepareOptions, dropped: Counter[str]) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = [
        {"step": "read", "rows": stream.rows},
        {
            "step": "convert",
            "format": stream.format.name,
            "mapping": dict(stream.format.mapping),
            "dropped": dropped["unreadable"],
        },
    ]
    asked = {
        "drop_empty": options.drop_empty,
        "drop_equal": options.drop_equal and stream.format.type == "preference",
        "min_words": bool(options.min_words),
        "dedupe": options.dedupe,
    }
    for name, wanted in asked.items():
        if wanted:
            extra = {"words": options.min_words} if name == "min_words" else {}
            steps.append({"step": name, **extra, "dropped": dropped[name]})
    return steps


def _none_left(stream: Stream, dropped: Counter[str]) -> str:
    reasons = ", ".join(f"{count} by {name}" for name, count in dropped.most_common())
    first = stream.problems.listed[0] if stream.problems.listed else None
    why = f" Row {first.row}: {first.message}" if first else ""
    return f"No row of {stream.located.name} is left ({reasons or 'none were read'}).{why}"


def split(order: list[int], prompts: list[bytes], options: PrepareOptions) -> dict[str, list[int]]:
    """Train and test rows; no prompt is on both sides when splitting by prompt.

    At least one test row from 20 rows on; none below, or when all rows share one prompt.
    """
    if not options.test_fraction or len(order) < MIN_ROWS_FOR_TEST:
        return {"train": order}
    wanted = max(1, round(options.test_fraction * len(order)))
    groups: dict[bytes | int, list[int]] = {}
    for at in order:
        groups.setdefault(prompts[at] if options.split_by_prompt else at, []).append(at)
    keys = list(groups)
    random.Random(f"split-{options.seed}").shuffle(keys)
    test: set[int] = set()
    for key in keys:
        if len(test) >= wanted:
            break
        if len(test) + len(groups[key]) <= max(wanted, 1.5 * wanted) and len(groups[key]) < len(
            order
        ):
            test.update(groups[key])
    if not test and len(groups) > 1:
        test.update(min(groups.values(), key=len))
    train = [at for at in order if at not in test]
    return (
        {"train": train, "test": [at for at in order if at in test]} if test else {"train": order}
    )
