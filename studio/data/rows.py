"""Rows as they come back from Arrow."""

from __future__ import annotations

from itertools import islice
from typing import Any

import orjson

from studio.core.messages import prompt_of
from studio.data.types import Row


def tidy(row: Row) -> Row:
    """A row read back from Arrow without the empty places Arrow needs; tool calls as objects."""

    def turn(value: object) -> Any:
        if not isinstance(value, dict) or "role" not in value:
            return value
        kept = {name: inner for name, inner in value.items() if inner is not None}
        if "tool_calls" in kept:
            calls = kept["tool_calls"]
            kept["tool_calls"] = [orjson.loads(c) if isinstance(c, str) else c for c in calls]
        return kept

    return {
        name: [turn(item) for item in value] if isinstance(value, list) else value
        for name, value in row.items()
        if value is not None
    }


_SAMPLE_PROMPTS = 3


def sample_prompts(rows: Any) -> list[Any]:
    """The first few prompts of the held-out rows, with their tools and kwargs: fixed through the
    run. A prompt of plain text stays text."""
    prompts = []
    for row in map(tidy, islice(rows, _SAMPLE_PROMPTS)):
        given = row.get("prompt")
        prompt = given if isinstance(given, str) else prompt_of(row)
        if prompt:
            prompts.append(prompt)
    return prompts
