"""From every row's values to figures with intervals, per column and as paired differences."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from studio.core.messages import prompt_and_references
from studio.metrics.bootstrap import Interval, bootstrap_ratio

if TYPE_CHECKING:
    from studio.evaluation.column_values import Measured, Value
    from studio.evaluation.request import ScoreRequest


def build(request: ScoreRequest, columns: Sequence[Measured]) -> dict[str, Any]:
    """JSON-able: each column's metrics, and each later column minus the first.

    Intervals are 95 % percentile bootstraps over prompts: rows of one prompt are drawn together,
    and a difference draws the same prompts for both columns.
    """
    units = _units(request)
    found = [
        {
            "label": column.label or column.run or column.model,
            "model": column.model,
            "run": column.run,
            "checkpoint": column.checkpoint,
            "step": request.steps[at] if request.steps else None,
            "error": measured.error,
            "metrics": {} if measured.error else _figures(request, measured, units),
            "wrong": asdict(measured.wrong) if measured.wrong and column.run else None,
        }
        for at, (column, measured) in enumerate(zip(request.columns, columns, strict=True))
    ]
    first = columns[0]
    differences = [
        {
            "a": found[at]["label"],
            "b": found[0]["label"],
            "metrics": _differences(request, measured, first, units),
        }
        for at, measured in enumerate(columns)
        if at and not measured.error and not first.error
    ]
    return {
        "data": request.rows.name,
        "type": request.rows.type,
        "rows": len(request.rows),
        "set_aside": request.rows.aside,
        "extractor": request.extractor,
        "sampling": request.sampling.model_dump(mode="json"),
        "columns": found,
        "differences": differences,
    }


def _units(request: ScoreRequest) -> list[str]:
    """For every row the prompt it belongs to."""
    if request.rows.questions:
        return [question.question for question in request.rows.questions]
    found = []
    for at, row in enumerate(request.rows.rows):
        asked = prompt_and_references(row)
        found.append(json.dumps(asked[0], sort_keys=True) if asked else f"row {at}")
    return found


def _figures(request: ScoreRequest, measured: Measured, units: list[str]) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for name in request.metrics:
        if name in measured.overall:
            value = measured.overall[name]
            figures[name] = {"value": value, "low": None, "high": None, "count": len(units)}
        elif name in measured.values:
            estimate = _estimate(measured.values[name], units)
            if estimate is not None:
                figures[name] = (_exp(estimate) if name == "perplexity" else estimate).as_dict()
    return figures


def _estimate(values: Sequence[Value], units: Sequence[str]) -> Interval | None:
    totals: dict[str, float] = {}
    sizes: dict[str, float] = {}
    for value, unit in zip(values, units, strict=True):
        if value is not None:
            totals[unit] = totals.get(unit, 0.0) + value[0]
            sizes[unit] = sizes.get(unit, 0.0) + value[1]
    return bootstrap_ratio(list(totals.values()), list(sizes.values()))


def _exp(loss: Interval) -> Interval:
    value, low, high = (math.exp(min(each, 700)) for each in (loss.value, loss.low, loss.high))
    return Interval(value, low, high, loss.count)


def _differences(
    request: ScoreRequest, one: Measured, other: Measured, units: list[str]
) -> dict[str, Any]:
    """`one` minus `other` over the rows that both have; perplexity as a ratio's logarithm is loss,
    so it is left out."""
    found = {}
    for name in request.metrics:
        if name == "perplexity" or name not in one.values or name not in other.values:
            continue
        pairs = list(zip(one.values[name], other.values[name], strict=True))
        estimate = _estimate([_minus(a, b) for a, b in pairs], units)
        if estimate is not None:
            better = sum(1 for a, b in pairs if a and b and a[0] / a[1] > b[0] / b[1])
            worse = sum(1 for a, b in pairs if a and b and a[0] / a[1] < b[0] / b[1])
            found[name] = {**estimate.as_dict(), "higher": better, "lower": worse}
    return found


def _minus(a: Value, b: Value) -> Value:
    """Totals may be subtracted where both weigh the same; elsewhere (two tokenizers) the means."""
    if a is None or b is None:
        return None
    return (a[0] - b[0], a[1]) if a[1] == b[1] else (a[0] / a[1] - b[0] / b[1], 1.0)
