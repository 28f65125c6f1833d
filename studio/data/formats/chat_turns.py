"""Turns in every spelling, as TRL's messages: `{"role", "content"[, "tool_calls", "name",
...]}`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NoReturn

from studio.core.messages import Message
from studio.data import turn_training
from studio.data.formats import content_parts
from studio.data.formats.column_names import PAIR_WORDS, ROLES, key
from studio.data.formats.python_cells import python_value
from studio.data.types import Row, RowError

_ROLE_KEYS = ("role", "from", "speaker", "sender", "author")
_TYPED = ("human", "ai", "system", "tool", "function")
_TEXT_KEYS = ("content", "value", "text", "message", "utterance", "parts")
_SPEAKERS = {name: role for name, role in ROLES.items() if role != "tool_call"}
_THOUGHTS = ("thinking", "reasoning_content", "reasoning")
_KEPT = ("name", "tool_call_id", *_THOUGHTS)


def shape_of(value: object) -> str:
    """string, bool, number, turn, turns, pairs, strings, rated, list, object or nothing.

    A string that holds a JSON list of turns counts as turns: CSV files carry them so.
    """
    if isinstance(value, str):
        return _shape_of_text(value)
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, dict):
        value = _lowered(value)
        if _is_turn(value):
            return "turn"
        return "turns" if turn_lists(value) else "object"
    if isinstance(value, list | tuple):
        return _shape_of_list(value)
    return "nothing" if value is None else "other"


def _shape_of_text(text: str) -> str:
    if text.lstrip()[:1] == "[":
        inner = unwrapped(text)
        if isinstance(inner, list) and _shape_of_list(inner) in ("turns", "pairs"):
            return _shape_of_list(inner)
    return "string"


def _shape_of_list(value: Sequence[Any]) -> str:
    if not value:
        return "list"
    if all(isinstance(item, dict) for item in value):
        if all(_is_turn(_lowered(item)) for item in value):
            return "turns"
        return "pairs" if all(_pair_keys(item) for item in value) else "objects"
    if all(isinstance(item, str) for item in value):
        return "strings"
    if all(isinstance(i, list | tuple) and len(i) == 2 and all(_text(t) for t in i) for i in value):
        return "pairs"
    if all(isinstance(item, int | float) for item in value):
        return "numbers"
    return "list"


def _text(value: object) -> bool:
    return value is None or isinstance(value, str)


def _is_turn(value: Row) -> bool:
    role = _role(value)
    if not isinstance(role, str):
        return _single(value) is not None
    return _first(value, _TEXT_KEYS) is not None or "tool_calls" in value or "content" in value


def _lowered(turn: Message) -> Row:
    """The turn with `From` and `Value` written small, where that makes it one; LangChain's, whose
    role is its `type`, as others write it."""
    inner = turn.get("data", turn.get("kwargs"))
    if isinstance(inner, dict) and "content" in inner and "role" not in turn:
        kind = inner.get("type") or turn.get("type")
        return {**inner, "role": kind} if isinstance(kind, str) else turn
    if isinstance(kind := turn.get("type"), str) and kind in _TYPED and "role" not in turn:
        return {**turn, "role": kind} if "content" in turn else turn
    if all(type(name) is str and name.islower() for name in turn):
        return turn
    return {name.lower() if isinstance(name, str) else name: held for name, held in turn.items()}


def _role(turn: Message) -> Any:
    """Who speaks; ChatGPT's export says so inside an object."""
    role = _first(turn, _ROLE_KEYS)
    if isinstance(turn.get("speaker"), str) and role == turn["speaker"]:
        return "assistant" if role.strip().lower() == "system" else role  # SYSTEM answers USER
    return role.get("role") if isinstance(role, dict) else role


def _single(turn: Message) -> tuple[str, str] | None:
    """(role, text) of a turn written `{"user": "..."}`."""
    if len(turn) == 1:
        name, text = next(iter(turn.items()))
        if isinstance(name, str) and name.lower() in ROLES and isinstance(text, str):
            return name, text
    return None


def turn_lists(value: object) -> list[Row] | None:
    """Turns kept as a list a field (`{"from": [...], "value": [...]}`), as `datasets` may store
    them; None where it is not that."""
    if not isinstance(value, dict) or not value:
        return None
    if not all(isinstance(inner, list) for inner in value.values()):
        return None
    role, text = _first(value, _ROLE_KEYS), _first(value, _TEXT_KEYS[:5])
    if not role or text is None or len({len(inner) for inner in value.values()}) != 1:
        return None
    return [dict(zip(value, cells, strict=True)) for cells in zip(*value.values(), strict=True)]


def _first(value: Row, keys: tuple[str, ...]) -> Any:
    for name in keys:
        if value.get(name) is not None:
            return value[name]
    return None


def _pair_keys(value: Row) -> dict[str, str]:
    """Role -> key of a turn written as a pair; empty where it is not one."""
    found: dict[str, str] = {}
    for name in value:
        words = key(name).split("_")
        role = "system" if "system" in words else PAIR_WORDS.get(words[-1])
        if role and role not in found and _text(value[name]):
            found[role] = name
    return found if "user" in found and "assistant" in found else {}


def unwrapped(value: object) -> Any:
    """The list or object inside a string that holds one as JSON, or as Python writes it (pandas'
    `to_csv`); anything else as it is."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return python_value(value)
    return value


def to_messages(value: object, field: str) -> list[Message]:
    """A list of turns, of pairs, or of alternating strings, as messages.

    Raises `RowError` naming `field` where a turn has no text, an unknown role or a wrong type.
    """
    value = unwrapped(value)
    if isinstance(value, dict):
        value = turn_lists(value) or [value]
    if value is None:
        raise RowError("missing_field", f'"{field}" is missing.', field)
    if not isinstance(value, list | tuple):
        raise RowError("wrong_type", f'"{field}" is {kind_of(value)}, not a list of turns.', field)
    if not value:
        raise RowError("empty_field", f'"{field}" has no turns.', field)
    messages: list[Message] = []
    for at, turn in enumerate(value, 1):
        if type(turn) is dict and len(turn) == 2:
            # the quick way for what most files hold: a known role, a text, and nothing else
            role, text = turn.get("from"), turn.get("value")
            if role is None:
                role, text = turn.get("role"), turn.get("content")
            if type(text) is str and type(role) is str and role in _SPEAKERS:
                messages.append({"role": _SPEAKERS[role], "content": text})
                continue
        messages.extend(_turn_messages(turn, at, field))
    return messages


def _turn_messages(turn: object, at: int, field: str) -> list[Message]:
    where = f"Turn {at} of {field!r}"
    if isinstance(turn, list | tuple) and len(turn) == 2:
        texts = [text for text in turn if text is not None]
        roles = ("user", "assistant") if len(texts) == 2 or turn[0] is not None else ("assistant",)
        return [message(role, text, where, field) for role, text in zip(roles, texts, strict=False)]
    if not isinstance(turn, dict):
        raise RowError("wrong_type", f"{where} is {kind_of(turn)}, not a turn with a role.", field)
    turn = _lowered(turn)
    role = _role(turn)
    if role is None and (single := _single(turn)):
        return [_from_turn({"content": single[1]}, single[0], where, field)]
    if role is None:
        pair = _pair_keys(turn)
        if not pair:
            raise RowError("missing_field", f"{where} has no role.", field)
        names = [(name, pair[name]) for name in ("system", "user", "assistant") if name in pair]
        messages = [message(role, turn[name], where, field) for role, name in names if turn[name]]
        for one in messages:
            if one["role"] == "assistant":
                one.update(turn_training.read(turn, where, field))
        return messages
    return [*_results_of(turn, where, field), *_without_results(turn, role, where, field)]


def _results_of(turn: Message, where: str, field: str) -> list[Message]:
    """The tools' results that stand among a user's parts (Anthropic's, Gemini's), as turns of their
    own."""
    content = _first(turn, ("content", "parts"))
    content = content["parts"] if isinstance(content, dict) and "parts" in content else content
    if not isinstance(content, list) or not any(map(content_parts.is_result, content)):
        return []
    return [
        {"role": "tool", "content": text} | ({"tool_call_id": key} if key else {})
        for key, text in content_parts.read(content, where, field).results
    ]


def _without_results(turn: Message, role: object, where: str, field: str) -> list[Message]:
    """The turn itself; nothing where it held a tool's results only."""
    made = _from_turn(turn, role, where, field)
    results = _results_of(turn, where, field)
    only = results and (made["role"] == "tool" or (not made["content"] and len(made) == 2))
    return [] if only else [made]


def _from_turn(turn: Message, role: object, where: str, field: str) -> Message:
    known = ROLES.get(role.strip().lower()) if isinstance(role, str) else None
    if known is None:
        shown = str(role)[:40]
        raise RowError(
            "unknown_role",
            f'{where} has the role "{shown}"; known are user, assistant, system, tool.',
            field,
        )
    content = _first(turn, _TEXT_KEYS)
    calls = turn.get("tool_calls") or _legacy_call(turn)
    if known == "tool_call":
        known = "assistant"
        parsed = tool_calls(content)
        if not parsed:
            raise RowError(
                "call_arguments", f"{where} is a call that is no JSON: {_shown(content)}.", field
            )
        calls, content = parsed, ""
    if known == "tool" and isinstance(content, dict | list) and not content_parts.spoken(content):
        content = json.dumps(content, ensure_ascii=False)
    result = message(known, "" if content is None and calls else content, where, field)
    _refuse_thoughts(turn, where, field)
    result.update({name: turn[name] for name in _KEPT if isinstance(turn.get(name), str)})
    result.update(turn_training.read(turn, where, field))
    if calls:
        result["tool_calls"] = tool_calls(calls) or _refuse_calls(where, field)
    return result


def _shown(content: object) -> str:
    return " ".join(str(content).split())[:60]


def _refuse_thoughts(turn: Message, where: str, field: str) -> None:
    """Thinking that is no text must not be lost while the answer after it is trained."""
    for name in _THOUGHTS:
        if isinstance(turn.get(name), list | dict) and turn[name]:
            told = f"{where} holds {kind_of(turn[name])} in {name}; write the thinking as one text."
            raise RowError("wrong_type", told, field)


def _legacy_call(turn: Message) -> object:
    return turn.get("function_call") if isinstance(turn.get("function_call"), dict) else None


def _refuse_calls(where: str, field: str) -> NoReturn:
    raise RowError("wrong_type", f"{where} has tool calls without a function name.", field)


def tool_calls(value: object) -> list[Row] | None:
    """Tool calls in the transformers form, arguments as objects; None where there are none to
    read."""
    value = unwrapped(value)
    calls = value if isinstance(value, list) else [value]
    result = []
    for call in calls:
        function = call.get("function", call) if isinstance(call, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            return None
        arguments = unwrapped(function.get("arguments", function.get("parameters", {})))
        arguments = {} if arguments is None else arguments
        made: Row = {
            "type": "function",
            "function": {"name": function["name"], "arguments": arguments},
        }
        if isinstance(call, dict) and isinstance(call.get("id"), str):
            made["id"] = call["id"]
        result.append(made)
    return result or None


def message(role: str, content: object, where: str, field: str) -> Message:
    """One message; parts of text are joined, thinking and calls kept apart, others refused."""
    if isinstance(content, dict):  # one part, or ChatGPT's and Gemini's {"parts": [...]}
        content = content["parts"] if isinstance(content.get("parts"), list) else [content]
    more: Row = {}
    if isinstance(content, list):
        parts = content_parts.read(content, where, field)
        content = parts.text
        more = {"reasoning_content": parts.reasoning} if parts.reasoning else {}
        more |= {"tool_calls": parts.calls} if parts.calls else {}
    if content is None:
        content = ""
    if not isinstance(content, str):
        raise RowError("wrong_type", f"{where} holds {kind_of(content)}, not text.", field)
    return {"role": role, "content": content, **more}


def kind_of(value: object) -> str:
    if isinstance(value, bool):
        return f"the JSON value {str(value).lower()}"
    names = {int: "a number", float: "a number", str: "text", list: "a list", dict: "an object"}
    return names.get(type(value), "nothing" if value is None else f"a {type(value).__name__}")
