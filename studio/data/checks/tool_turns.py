"""Checks on the calls and results of tools in a conversation, and on whether any turn is trained.

All are warnings: the row can be trained on, but seldom as its author meant it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from studio.core.messages import Message
from studio.data import turn_training
from studio.data.types import Row

_Finding = tuple[str, str, str | None, str]


def check(turns: list[Message], name: str, tools: object) -> Iterator[_Finding]:
    """Findings on the turns of the column `name`; `tools` is the row's column of that name."""
    known = _names(tools)
    asker = "" if name in ("messages", "prompt") else "assistant"  # an answer goes on from a prompt
    for at, turn in enumerate(turns, 1):
        where = f'turn {at} of "{name}"'
        if turn["role"] != "tool":
            asker = turn["role"]
        elif asker != "assistant":
            message = f"{where.capitalize()} is a tool's result with no call before it."
            yield "result_without_call", message, name, "warning"
        for call in turn.get("tool_calls") or ():
            yield from _call(call["function"], where, name, known)


def untrained(turns: list[Message], name: str) -> Iterator[_Finding]:
    """A finding where the messages' own fields leave no turn to train on."""
    said = [(turn["role"], turn_training.decision(turn)) for turn in turns]
    taught = [told[0] if told else role == "assistant" for role, told in said]
    if not any(taught) and any(told for _, told in said):
        message = f'The fields on the turns of "{name}" have none trained: the row teaches nothing.'
        yield "untrained", message, name, "warning"


def _call(function: Row, where: str, name: str, known: set[str]) -> Iterator[_Finding]:
    called = str(function["name"])
    if not isinstance(function["arguments"], dict):
        message = (
            f'The call of "{called}" in {where} has arguments that are no JSON object: '
            f"{json.dumps(function['arguments'], ensure_ascii=False)[:60]}."
        )
        yield "call_arguments", message, name, "warning"
    if known and called not in known:
        message = f'{where.capitalize()} calls "{called}", which is not among the row\'s tools.'
        yield "unknown_tool", message, name, "warning"


def _names(tools: object) -> set[str]:
    """The names of a row's tools, kept as JSON; empty where they cannot be told."""
    listed: Any = json.loads(tools) if isinstance(tools, str) and tools else tools
    if not isinstance(listed, list):
        return set()
    inner = [tool.get("function", tool) for tool in listed if isinstance(tool, dict)]
    named = {one.get("name") for one in inner if isinstance(one, dict)}
    return {one for one in named if isinstance(one, str)} if len(inner) == len(listed) else set()
