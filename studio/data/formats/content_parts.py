"""A message's content as parts: text, thinking, calls of tools and their results.

OpenAI's, Anthropic's, Gemini's and TRL's spellings are read. A part that is none of these, such as
an image or a sound, refuses its row: the text around it would be trained without it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from studio.data.types import Row, RowError

_TEXT = ("text", "input_text", "output_text")
_THOUGHT = ("reasoning", "thinking", "reasoning_text")
_CALL = ("tool_call", "tool_use", "function_call", "tool-call")
_RESULT = ("tool_result", "function_call_output", "tool-result")
_ALSO = {
    *("type", "text", "value", "parts", "id", "signature", "thoughtSignature"),
    *("annotations", "citations", "logprobs", "cache_control"),
}
"""Keys of a text's part that say nothing more."""


@dataclass
class Parts:
    """What the parts of one message hold; `results` are (id of the call, text)."""

    text: str = ""
    reasoning: str = ""
    calls: list[Row] = field(default_factory=list)
    results: list[tuple[str, str]] = field(default_factory=list)


def read(parts: Sequence[object], where: str, name: str) -> Parts:
    """The parts of a message; raises `RowError` for one that is not text, thinking or a call."""
    found = Parts()
    for part in parts:
        kind = _kind(part)
        if kind == "text":
            found.text += _text(part)
        elif kind == "thought":
            thought = _text(part)
            found.reasoning += f"\n{thought}" if found.reasoning else thought
        elif kind == "call":
            found.calls.append(_call(cast(Row, part), where, name))
        elif kind == "result":
            found.results.append(_result(cast(Row, part), where, name))
        else:
            raise RowError(
                "wrong_type",
                f"{where} holds a part of type {_named(part)}; the studio trains on text.",
                name,
            )
    return found


def spoken(content: object) -> bool:
    """Whether a content is parts of text rather than a tool's result."""
    parts = content if isinstance(content, list) else [content]
    return bool(parts) and all(
        isinstance(part, dict) and _kind(part) == "text" and part.keys() & {"text", "value"}
        for part in parts
    )


def is_result(part: object) -> bool:
    """Whether a part is a tool's result."""
    return _kind(part) == "result"


def _kind(part: object) -> str | None:
    if isinstance(part, str):
        return "text"
    if not isinstance(part, dict):
        return None
    kind = part.get("type")
    if kind in _CALL or "functionCall" in part:
        return "call"
    if kind in _RESULT or "functionResponse" in part:
        return "result"
    if not isinstance(_text(part), str):
        return None
    if kind in _THOUGHT or (part.get("thought") is True and "text" in part):  # Gemini's
        return "thought"
    return "text" if kind in (None, *_TEXT) and not _beyond(part) else None


def _beyond(part: Mapping[str, object]) -> list[str]:
    """Keys of a part that say more than its text, such as an image's."""
    return [name for name in part if name not in _ALSO and part[name] not in (None, False)]


def _text(part: Any) -> Any:
    if isinstance(part, str):
        return part
    names = ("text", "value", "thinking", "reasoning", "content", "summary")
    found = next((part[name] for name in names if part.get(name) is not None), None)
    if isinstance(found, list):  # OpenAI's reasoning item: a list of texts
        texts = [_text(one) for one in found if isinstance(one, str | dict)]
        return "\n".join(texts) if all(isinstance(text, str) for text in texts) else None
    return found


def _named(part: object) -> str:
    if not isinstance(part, dict):
        return type(part).__name__
    beyond = _beyond(part) if part.get("type") in (None, *_TEXT) else []
    extra = f" with {' and '.join(beyond)}" if beyond else ""
    return f"{part.get('type', 'part')}{extra}"


def _call(part: Row, where: str, name: str) -> Row:
    """A call in the transformers form: `arguments` as an object."""
    call = part.get("functionCall") or part.get("function") or part.get("value") or part
    call = _loaded(call)
    call = call.get("function", call) if isinstance(call, dict) else {}
    given = next((call[n] for n in ("arguments", "input", "args", "parameters") if n in call), {})
    arguments = _loaded(given) or {}
    if not isinstance(call.get("name"), str) or not isinstance(arguments, dict):
        raise RowError(
            "wrong_type", f"{where} calls a tool without a name and an object of arguments.", name
        )
    made: Row = {"type": "function", "function": {"name": call["name"], "arguments": arguments}}
    key = part.get("id") or part.get("call_id")
    return made | ({"id": key} if isinstance(key, str) else {})


def _result(part: Row, where: str, name: str) -> tuple[str, str]:
    response = part.get("functionResponse")
    body = response.get("response") if isinstance(response, dict) else None
    content = next((part[n] for n in ("content", "output", "value") if n in part), body)
    key = str(part.get("tool_use_id") or part.get("call_id") or "")
    if isinstance(content, list) and not all(isinstance(one, int | float) for one in content):
        return key, read(content, where, name).text
    if content is None or isinstance(content, str):
        return key, content or ""
    return key, json.dumps(content, ensure_ascii=False)


def _loaded(value: object) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None
