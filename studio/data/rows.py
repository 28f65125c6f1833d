"""Rows as they come back from Arrow."""

from __future__ import annotations

from itertools import islice
from typing import Any

import orjson

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
    """The first few prompts of the held-out rows: fixed through the run."""
    prompts = []
    for row in islice(rows, _SAMPLE_PROMPTS):
        if row.get("prompt"):
            prompts.append(row["prompt"])
        elif row.get("messages"):
            turns = row["messages"]
            first = next((i for i, turn in enumerate(turns) if turn["role"] == "assistant"), None)
            if first:
                prompts.append(
                    [{"role": t["role"], "content": t["content"]} for t in turns[:first]]
                )
    return prompts
