"""Glaive's function calling, published before messages had a place for it: `system` ends with the
functions as JSON, and `chat` is one text with USER:, ASSISTANT:, `<functioncall>` and
FUNCTION RESPONSE:."""

from __future__ import annotations

import json
import re
from typing import Any

from studio.data.formats.base import Family, Mapping, Match, Row, mapped
from studio.data.formats.chat_turns import Message, tool_calls
from studio.data.formats.column_profile import Profile
from studio.data.formats.field_values import optional_text, text_of
from studio.data.types import RowError

_CALL = "<functioncall>"
_MARK = re.compile(r"(?:^|\s)(USER|ASSISTANT|FUNCTION RESPONSE):\s*")
_ROLES = {"USER": "user", "ASSISTANT": "assistant", "FUNCTION RESPONSE": "tool"}
_END = "<|endoftext|>"
_QUOTED = re.compile(r'"arguments":\s*\'(.*)\'\s*\}\s*\Z', re.DOTALL)


def _recognise(profile: Profile) -> Match | None:
    for column in profile.columns.values():
        texts = [value for value in column.values if isinstance(value, str)]
        called = sum(_CALL in text and "FUNCTION RESPONSE:" in text for text in texts)
        if texts and called >= 0.2 * len(texts) and all(map(_MARK.search, texts)):
            system = profile.find(("system",), "string", without=[column.name])
            why = f'"{column.name}" holds conversations in one text, with {_CALL} where it calls.'
            return Match("glaive", 0.97, why, mapped(messages=column.name, system=system))
    return None


def _convert(row: Row, mapping: Mapping) -> Row:
    column = mapping["messages"]
    pieces = _MARK.split(text_of(row, column).replace(_END, ""))
    if len(pieces) < 3 or pieces[0].strip():
        raise RowError("wrong_type", f'"{column}" does not begin with USER: or ASSISTANT:.', column)
    messages = [
        _turn(_ROLES[mark], said.strip(), column)
        for mark, said in zip(pieces[1::2], pieces[2::2], strict=True)
    ]
    told, tools = _system(optional_text(row, mapping.get("system")) or "")
    start = [{"role": "system", "content": told}] if told else []
    result: Row = {"messages": [*start, *messages]}
    if tools:
        result["tools"] = json.dumps(tools, ensure_ascii=False)
    return result


def _turn(role: str, said: str, column: str) -> Message:
    if role != "assistant" or _CALL not in said:
        return {"role": role, "content": said}
    before, _, body = said.partition(_CALL)
    calls = tool_calls(_quoted(body.strip()))
    if calls is None:
        raise RowError("wrong_type", f'"{column}" calls with what is no JSON: {body[:60]}.', column)
    return {"role": role, "content": before.strip(), "tool_calls": calls}


def _quoted(body: str) -> str:
    """Arguments that stand in single quotes, as JSON."""
    return _QUOTED.sub(lambda found: f'"arguments": {found[1]}}}', body)


def _system(text: str) -> tuple[str, list[Row]]:
    """(what the system prompt says besides, the functions whose JSON stands in it)."""
    text = text.removeprefix("SYSTEM:").strip()
    tools: list[Any] = []
    start = re.search(r"\{\s*\"name\"", text)
    at = start.start() if start else len(text)
    said, rest = text[:at].strip(), text[at:].strip()
    while rest.startswith("{"):
        try:
            tool, end = json.JSONDecoder().raw_decode(rest)
        except (ValueError, RecursionError):
            return text, []
        tools.append({"type": "function", "function": tool})
        rest = rest[end:].strip()
    if tools and said.endswith("-"):
        said = said.rstrip("- ").strip()
    return f"{said} {rest}".strip(), tools


FAMILIES = [
    Family(
        "glaive",
        "conversational",
        "Conversations in one text with <functioncall>",
        {"messages": "the text", "system": "the system prompt, with the functions as JSON"},
        ("messages",),
        _recognise,
        _convert,
    )
]
