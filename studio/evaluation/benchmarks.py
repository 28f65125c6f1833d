"""Benchmarks that lm-eval measures: their names, and the report of what was gained and lost.

No torch and no lm-eval. `studio.workflows.benchmarks` runs them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from studio.core.errors import ConfigError, did_you_mean
from studio.metrics.bootstrap import bootstrap_mean

USUAL_ROWS = 100


@dataclass(frozen=True)
class Benchmark:
    """One benchmark: its name as its makers write it, and lm-eval's task, metric and filter.

    `generated`: the model answers, in a chat. Otherwise the likeliest of given choices counts, read
    as bare text.
    """

    label: str
    metric: str
    says: str
    generated: bool = False
    filter: str = "none"


BENCHMARKS: dict[str, Benchmark] = {
    "ifeval": Benchmark(
        "IFEval", "prompt_level_strict_acc", "prompts whose instructions are all followed", True
    ),
    "gsm8k": Benchmark(
        "GSM8K", "exact_match", "the last number of the answer is right", True, "flexible-extract"
    ),
    "arc_easy": Benchmark("ARC-Easy", "acc_norm", "the likeliest choice a byte is right"),
    "arc_challenge": Benchmark("ARC-Challenge", "acc_norm", "the likeliest choice a byte is right"),
    "hellaswag": Benchmark("HellaSwag", "acc_norm", "the likeliest ending a byte is right"),
    "mmlu": Benchmark("MMLU", "acc", "the likeliest letter is right"),
}

Verdict = Literal["gained", "lost", "no difference shown"]
Rows = Sequence[Mapping[str, Any]]
"""One column's rows of a benchmark: `row`, `filter` and lm-eval's metrics."""


def checked(names: Sequence[str]) -> tuple[str, ...]:
    """Benchmarks by name, all of them for none; `ConfigError` for one that is not there."""
    for name in names:
        if name not in BENCHMARKS:
            raise ConfigError(
                f"There is no benchmark {name!r:.60}.{did_you_mean(name, BENCHMARKS)} "
                f"Benchmarks: {', '.join(BENCHMARKS)}."
            )
    return tuple(dict.fromkeys(names)) or tuple(BENCHMARKS)


def report(labels: Sequence[str], found: Sequence[Mapping[str, Rows]]) -> list[dict[str, Any]]:
    """For every benchmark each column's share, and each later column's difference from the first.

    Shares and differences are from 0 to 1 with 95 % intervals by a bootstrap over rows; the same
    rows are drawn for both columns of a difference.
    """
    return [_benchmark(name, labels, [column[name] for column in found]) for name in found[0]]


def _benchmark(name: str, labels: Sequence[str], columns: Sequence[Rows]) -> dict[str, Any]:
    known = BENCHMARKS[name]
    values = [
        {
            row["row"]: float(row[known.metric])
            for row in rows
            if row["filter"] == known.filter and known.metric in row
        }
        for rows in columns
    ]
    common = [row for row in values[0] if all(row in column for column in values)]
    if not common:
        raise ConfigError(
            f"lm-eval gave no {known.metric} for {name}; this version may call it otherwise, "
            "0.4.13 is known to work."
        )
    shares = [bootstrap_mean([[column[row]] for row in common]) for column in values]
    return {
        "benchmark": name,
        "label": known.label,
        "metric": known.metric,
        "rows": len(common),
        "columns": [
            {"label": label, **share.as_dict()}
            for label, share in zip(labels, shares, strict=True)
            if share is not None
        ],
        "differences": [
            _difference(label, [column[row] - values[0][row] for row in common])
            for label, column in zip(labels[1:], values[1:], strict=True)
        ],
    }


def _difference(label: str, differences: Sequence[float]) -> dict[str, Any]:
    found = bootstrap_mean([[each] for each in differences])
    assert found is not None  # there is at least one row
    verdict: Verdict = "no difference shown"
    if found.low > 0 or found.high < 0:
        verdict = "gained" if found.low > 0 else "lost"
    counts = {
        "better": sum(each > 0 for each in differences),
        "worse": sum(each < 0 for each in differences),
    }
    return {"label": label, **found.as_dict(), **counts, "verdict": verdict}
