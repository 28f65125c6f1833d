"""Results of tools in a conversation: an answer that calls, and what a person says it gave."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from studio.core.answers import AnswerParts
from studio.core.call_forms import ToolCall
from studio.core.errors import ConfigError
from studio.core.json_values import as_object, loads
from studio.core.messages import Message
from studio.generation.request import Answer


def called(answers: Sequence[Answer]) -> list[str]:
    """The names of the tools that answers call, where each of them calls one whose arguments can be
    read; empty where one does not, so that a result would be sent to nobody's call."""
    every = [AnswerParts(answer.text).tool_calls for answer in answers]
    if not all(calls and all(map(_readable, calls)) for calls in every):
        return []
    return list(dict.fromkeys(call.name for calls in every for call in calls))


def exchange(answer: Answer, result: str, turn: int) -> list[Message]:
    """The call and its results as messages; `turn` makes their ids.

    `result` is what every call gave; an object whose keys are the tools that were called gives each
    its own. Raises `ConfigError` where the answer calls no tool.
    """
    parts = AnswerParts(answer.text)
    calls = parts.tool_calls
    if not calls or not all(map(_readable, calls)):
        raise ConfigError(
            "A result was given, but the answer before it calls no tool. Ask in words."
        )
    ids = [f"call{turn % 100:02d}{at % 1000:03d}" for at, _ in enumerate(calls)]  # Mistral's length
    listed = [{**call.as_message(), "id": key} for call, key in zip(calls, ids, strict=True)]
    asked: Message = {"role": "assistant", "content": parts.spoken, "tool_calls": listed}
    if answer.reasoning:  # templates keep the thinking that led to a call until it is answered
        asked["reasoning_content"] = answer.reasoning
    apart = _by_name(result, calls)
    results = [
        {"role": "tool", "name": call.name, "tool_call_id": key, "content": apart[call.name]}
        for call, key in zip(calls, ids, strict=True)
    ]
    return [asked, *results]


def _readable(call: ToolCall) -> bool:
    return bool(call.name) and call.arguments is not None


def _by_name(result: str, calls: Sequence[ToolCall]) -> dict[str, str]:
    names = {call.name for call in calls}
    given: dict[str, Any] | None = as_object(loads(result))
    if len(names) > 1 and given is not None and names <= given.keys():
        return {name: _text(given[name]) for name in names}
    return dict.fromkeys(names, result)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
