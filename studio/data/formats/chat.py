"""Conversations: ShareGPT, messages, pairs of turns, a bare list a row; tool calls and tools."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence, Sized

from studio.data.formats import column_names, thoughts
from studio.data.formats.base import Family, Mapping, Match, Row, mapped
from studio.data.formats.chat_turns import Message, kind_of, to_messages, unwrapped
from studio.data.formats.column_profile import Column, Profile
from studio.data.formats.field_values import earlier_turns, system_of
from studio.data.formats.tool_schema import with_schema
from studio.data.formats.transcripts import from_template, is_open, parse_transcript
from studio.data.types import RowError


def turns_column(profile: Profile, without: set[str] | None = None) -> Column | None:
    """The column that holds whole conversations: by its values first, then by its name."""
    found = [
        column
        for column in profile.columns.values()
        if column.is_("turns", "pairs")
        and column.name not in (without or ())
        and column.key not in column_names.HISTORY
    ]
    named = [c for word in column_names.TURNS for c in found if c.key == word]
    return (named or found or [None])[0]


def answered(column: Column) -> bool:
    """Whether the assistant speaks in most of a column's conversations; if not: prompts."""
    return _mostly(column, lambda turns: any(turn["role"] == "assistant" for turn in turns))


def asked(column: Column) -> bool:
    """Whether the user speaks in most of a column's conversations."""
    return _mostly(column, lambda turns: any(turn["role"] == "user" for turn in turns))


def asks(column: Column) -> bool:
    """Whether most of a column's conversations end before an answer, so that they are prompts."""
    return _mostly(column, lambda turns: not turns or turns[-1]["role"] != "assistant")


def _mostly(column: Column, holds: Callable[[list[Message]], bool]) -> bool:
    """Whether something holds in most of a column's conversations; a broken one is no evidence
    against it."""
    count = 0
    for value in column.values:
        try:
            count += holds(to_messages(value, column.name))
        except RowError:
            count += 1
    return count >= 0.5 * len(column.values)


def spelling(column: Column) -> str:
    """sharegpt, messages or turn-pairs: how most of its turns are written."""
    counts = {"sharegpt": 0, "messages": 0, "turn-pairs": 0}
    for value in column.values:
        turns = unwrapped(value)
        first = turns[0] if isinstance(turns, list) and turns else turns
        first = {str(name).lower() for name in first} if isinstance(first, dict) else ()
        if "role" in first:
            counts["messages"] += 1
        elif "from" in first or "speaker" in first:
            counts["sharegpt"] += 1
        else:
            counts["turn-pairs"] += 1
    return max(counts, key=lambda name: counts[name])


def with_system(messages: list[Message], system: str | None) -> list[Message]:
    """The system prompt of another column in front, unless the turns have their own."""
    if not system or not system.strip() or (messages and messages[0]["role"] == "system"):
        return messages
    return [{"role": "system", "content": system}, *messages]


def tools_of(row: Row, column: str | None) -> str | None:
    """The tools as JSON text (TRL reads it so, and Arrow keeps it whole); None where there are
    none."""
    value = unwrapped(row.get(column)) if column else None
    if value is None or value == [] or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, dict):
        value = [value]
    value = [unwrapped(tool) for tool in value] if isinstance(value, list) else value
    if not isinstance(value, list) or not all(isinstance(tool, dict) for tool in value):
        raise RowError(
            "wrong_type", f'"{column}" is {kind_of(value)}, not a list of tools.', column
        )
    return json.dumps([with_schema(_as_function(tool)) for tool in value], ensure_ascii=False)


def _as_function(tool: Row) -> Row:
    if "function" in tool or "name" not in tool:
        return tool
    # Anthropic calls the parameters input_schema, MCP inputSchema
    given = next((name for name in ("input_schema", "inputSchema") if name in tool), None)
    if given and "parameters" not in tool:
        tool = {("parameters" if name == given else name): one for name, one in tool.items()}
    return {"type": "function", "function": tool}


_NO_CHATS = ("instances", "pairs", "preference_pairs", "comparisons", "candidates")


def _recognise(profile: Profile) -> Match | None:
    column = turns_column(profile)
    if column is None:
        return _spoken(profile)
    if not answered(column) or column.key in _NO_CHATS:
        return None
    if asks(column) and profile.find(column_names.COMPLETION[:-1], "string", without=[column.name]):
        return None  # earlier turns, and their answer beside them
    system = profile.system([column.name])
    tools = profile.tools()
    how = spelling(column)
    written = {
        "sharegpt": "from/value",
        "messages": "role/content",
        "turn-pairs": "question/answer pairs",
    }[how]
    share = column.share("turns", "pairs") * min(1.0, profile.coverage(column.name) + 0.02)
    sure = 0.4 + 0.58 * share
    if not asked(column):
        sure *= 0.4
    why = f'"{column.name}" holds conversations written as {written}.'
    thought = thoughts.clear(profile, column.name)
    if thought:
        why += f' "{thought}" is the thought before the last answer.'
    mapping = mapped(messages=column.name, system=system, tools=tools, reasoning=thought)
    return Match(how, sure, why, mapping)


def _spoken(profile: Profile) -> Match | None:
    """Lists of texts that two people say in turn, the user first."""
    name = next(
        (
            c.name
            for word in column_names.SPOKEN
            for c in profile.columns.values()
            if c.key == word and c.is_("strings") and _even(c.values)
        ),
        None,
    )
    if name is None:
        return None
    system = profile.system([name])
    why = f'"{name}" holds texts that user and assistant say in turn, the user first.'
    return Match("alternating", 0.8, why, mapped(messages=name, system=system))


def _even(values: Sequence[Sized]) -> bool:
    """Mostly two texts or more, and answered."""
    return sum(len(value) >= 2 and len(value) % 2 == 0 for value in values) >= 0.7 * len(values)


def _turns_of(row: Row, column: str) -> list[Message]:
    value = row.get(column)
    return earlier_turns(value, column) or to_messages(value, column)


def _recognise_transcript(profile: Profile) -> Match | None:
    """A column of texts that each hold a whole conversation, marked Human: and Assistant:."""
    for column in profile.columns.values():
        texts = [value for value in column.values if isinstance(value, str)]
        if column.share("string") < 0.9 or len(profile.columns) > 8:
            continue
        told = sum(parse_transcript(text) is not None for text in texts)
        if told < 0.8 * len(texts) or sum(map(is_open, texts)) >= 0.5 * len(texts):
            continue
        if _made_of_columns(profile, column):
            continue
        baked = sum(map(from_template, texts)) >= 0.8 * len(texts)
        sure = 0.9 if baked or column.key in column_names.TURNS else 0.4
        if told == len(texts) and column.key in column_names.TEXT:
            sure = max(sure, 0.8)
        why = f'"{column.name}" holds whole conversations as text; their marks become turns.'
        if baked:
            why += " The model's own template takes their place. Choose text to keep them."
        system = profile.system([column.name])
        return Match("transcript", sure, why, mapped(messages=column.name, system=system))
    return None


def _made_of_columns(profile: Profile, column: Column) -> bool:
    """Whether a text is put together from two other columns or more: these say it better."""
    inside = 0
    for other in profile.columns.values():
        if (
            other is column
            or not other.is_("string")
            or len(other.values) < 0.9 * len(column.values)
        ):
            continue
        rows = [row for row in profile.sample if isinstance(row.get(other.name), str)]
        held = sum(
            bool(row[other.name].strip()) and row[other.name].strip() in str(row.get(column.name))
            for row in rows
        )
        inside += bool(rows) and held >= 0.9 * len(rows)
    return inside >= 2


def _convert(row: Row, mapping: Mapping) -> Row:
    messages = _turns_of(row, mapping["messages"])
    if messages and messages[-1]["role"] == "assistant":
        answer = thoughts.with_thought(messages[-1], row, mapping.get("reasoning"))
        messages = [*messages[:-1], answer]
    result: Row = {"messages": with_system(messages, system_of(row, mapping.get("system")))}
    tools = tools_of(row, mapping.get("tools"))
    if tools is not None:
        result["tools"] = tools
    return result


FAMILIES = [
    Family(
        "messages",
        "conversational",
        "Conversations",
        {
            "messages": "the turns",
            "system": "a system prompt from another column",
            "tools": "the tools the assistant may call",
            "reasoning": "what is thought before the last answer",
        },
        ("messages",),
        _recognise,
        _convert,
        ("sharegpt", "turn-pairs", "chat", "alternating"),
    ),
    Family(
        "transcript",
        "conversational",
        "Conversations in one text, marked Human: and Assistant:",
        {"messages": "the text", "system": "a system prompt from another column"},
        ("messages",),
        _recognise_transcript,
        _convert,
    ),
]
