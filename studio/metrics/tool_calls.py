"""Metrics of answers that call tools, against references that do. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from studio.core.answers import read
from studio.core.call_forms import ToolCall
from studio.core.json_values import loads


def called(references: Sequence[str]) -> list[tuple[ToolCall, ...]]:
    """The calls of every reference that makes some."""
    return [calls for known in references if (calls := read(known).tool_calls)]


def right_tool(answer: str, references: Sequence[str]) -> float:
    """1 where the tools called are those of a reference, in its order."""
    said = _names(read(answer).tool_calls)
    return float(any(said == _names(calls) for calls in called(references)))


def right_arguments(answer: str, references: Sequence[str]) -> float:
    """The share of the reference's arguments that the answer gives to the same tools, by JSON
    equality; arguments that the reference does not have count against it. The best reference."""
    said = read(answer).tool_calls
    return max((_agreement(said, calls) for calls in called(references)), default=0.0)


def same_calls(answer: str, references: Sequence[str]) -> float:
    """1 where the answer makes all the calls of a reference, in its order and with its arguments,
    and no others; a reference without calls is met by an answer without."""
    said = read(answer).tool_calls
    return float(any(_agreement(said, read(known).tool_calls) == 1.0 for known in references))


def valid_json(answer: str) -> float:
    """1 where every call's arguments are a JSON object, or, without calls, the answer is JSON."""
    found = read(answer)
    if found.tool_calls:
        return float(all(call.arguments is not None for call in found.tool_calls))
    return float(loads(found.text) is not None or found.text.strip() == "null")


def _names(calls: Sequence[ToolCall]) -> list[str]:
    return [call.name for call in calls]


def _agreement(said: Sequence[ToolCall], known: Sequence[ToolCall]) -> float:
    if _names(said) != _names(known):
        return 0.0
    right = of = 0
    for one, other in zip(said, known, strict=True):
        if one.arguments is None:
            return 0.0
        wanted = other.arguments or {}
        of += len(wanted.keys() | one.arguments.keys())
        given = one.arguments
        right += sum(name in given and _same(value, given[name]) for name, value in wanted.items())
    return right / of if of else 1.0


def _same(one: Any, other: Any) -> bool:
    """Whether two values are the same JSON; true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        first, second = cast("dict[str, Any]", one), cast("dict[str, Any]", other)
        return first.keys() == second.keys() and all(_same(v, second[k]) for k, v in first.items())
    if isinstance(one, list) and isinstance(other, list):
        pairs = zip(cast("list[Any]", one), cast("list[Any]", other), strict=False)
        return len(one) == len(other) and all(_same(*pair) for pair in pairs)  # pyright: ignore[reportUnknownArgumentType]
    return one == other
