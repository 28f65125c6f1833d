"""Tools and calls that a conversation keeps as text, as Hermes' data does: a `<tools>` block in the
system prompt, `<tool_call>` in answers, `<tool_response>` in results.

Chat templates write all three themselves. A row whose tools stand in a column too would show them
twice, so what is kept as text becomes `tools`, `tool_calls` and turns of the tool, and the system
prompt keeps what else it says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from studio.core import answers, call_forms
from studio.core.json_values import as_object, loads
from studio.core.messages import Message, tools_of
from studio.data.formats.chat_turns import tool_calls, unwrapped
from studio.data.formats.python_cells import python_value
from studio.data.formats.tool_schema import with_schema
from studio.data.types import Row, RowError

Finding = tuple[str, str, str | None, str]
_TOOLS = re.compile(r"<tools>(.*?)</tools>", re.DOTALL)
_CALL = re.compile(r"<tool_call>\s*(.*?)\s*(?:</tool_call>|\Z)", re.DOTALL)
_RESULT = re.compile(r"<tool_response>\s*(.*?)\s*</tool_response>", re.DOTALL)
_HOW_TO_CALL = re.compile(r"\s*(?:(?!<tool_call>).)*<tool_call>.*</tool_call>", re.DOTALL)
_BEGINS_AS_CALL = re.compile(r"""\s*\[?\s*\{\s*["']?\w+["']?\s*:""")
_BETWEEN = re.compile(r"((?<=[.:!?])\s+|\n+)")  # sentences and lines
_ABOUT_TOOLS = re.compile(
    r"</?tools>|</?tool_call>|function signatures|function calling AI model|^# Tools\s*$|"
    r"one or more functions|available tools|to plug into functions|pydantic model",
    re.IGNORECASE,
)
"""Sentences around a block of tools that say where it is and how to call."""


def settled(row: Row, column: str, findings: list[Finding]) -> Row:
    """A row whose messages in `column` have their tools and calls in fields; `findings` gets what
    cannot be read. The row itself where nothing stands as text."""
    turns: list[Message] = row[column]
    row, turns = _without_block(row, turns, column, findings)
    if "tools" in row:
        turns = list(_with_calls(turns, column, findings))
    return row if turns == row[column] else {**row, column: turns}


# ---- the block of tools -------------------------------------------------------------------------


def _without_block(
    row: Row, turns: list[Message], column: str, findings: list[Finding]
) -> tuple[Row, list[Message]]:
    first = turns[0] if turns and turns[0]["role"] == "system" else None
    text = str(first["content"]) if first else ""
    listed = [(block, tools) for block in _TOOLS.finditer(text) if (tools := _listed(block[1]))]
    if first is None or len(listed) != 1:
        return row, turns
    block, tools = listed[0]
    known = {_name(tool) for tool in tools_of(row)}
    if known and not {_name(tool) for tool in tools} <= known:
        told = (
            f'The system prompt of "{column}" lists tools that the row\'s tools do not; it stays.'
        )
        findings.append(("tools_differ", told, column, "warning"))
        return row, turns
    rest = _said_besides(text[: block.start()], text[block.end() :])
    kept = [{**first, "content": rest}] if rest else []
    made = row if known else {**row, "tools": json.dumps(tools, ensure_ascii=False)}
    return made, [*kept, *turns[1:]]


def _listed(text: str) -> list[Row]:
    """The tools of a block: a list, or an object a line; none where a part is no tool."""
    text = text.strip()
    whole = loads(text)
    whole = python_value(text) if whole is None else whole
    parts = whole if isinstance(whole, list) else [unwrapped(line) for line in text.splitlines()]
    tools = [part for part in parts if isinstance(part, dict) and _name(part)]
    if not tools or len(tools) != len([part for part in parts if part != ""]):
        return []
    wrapped = (t if "function" in t else {"type": "function", "function": t} for t in tools)
    return [with_schema(tool) for tool in wrapped]


def _name(tool: Row) -> str:
    function = as_object(tool.get("function")) or tool
    return str(function.get("name") or "")


def _said_besides(before: str, after: str) -> str:
    """A system prompt without the sentences about its block of tools."""
    after = _HOW_TO_CALL.sub("", after, count=1)
    kept = [_without_about(text) for text in (before, after)]
    return "\n\n".join(text for text in kept if text)


def _without_about(text: str) -> str:
    pieces = [*_BETWEEN.split(text), ""]
    pairs = zip(pieces[::2], pieces[1::2], strict=True)
    kept = [said + space for said, space in pairs if not _ABOUT_TOOLS.search(said)]
    return "".join(kept).strip()


# ---- calls and results --------------------------------------------------------------------------


def _with_calls(turns: list[Message], column: str, findings: list[Finding]) -> Iterator[Message]:
    called = False
    for at, turn in enumerate(turns, 1):
        text = str(turn["content"])
        if turn["role"] == "assistant":
            if "<tool_call>" in text and not turn.get("tool_calls"):
                turn = _calling(turn, f'turn {at} of "{column}"', column, findings)
            called = bool(turn.get("tool_calls"))
            yield turn
        elif "<tool_response>" in text and (turn["role"] == "tool" or called) and _only(text):
            rest = {n: v for n, v in turn.items() if n not in ("role", "content")}
            for result in _RESULT.findall(text):
                yield {"role": "tool", "content": result, **rest}
        else:
            yield turn


def _calling(turn: Message, where: str, column: str, findings: list[Finding]) -> Message:
    """An answer whose calls stand as text, with `tool_calls`; as it is where one is broken."""
    parts = answers.read(str(turn["content"]))
    bodies = _CALL.findall(parts.text)
    calls = [call for body in bodies if (call := _read(body))]
    if len(calls) < len(bodies) or not bodies:
        shown = next((body for body in bodies if not _read(body)), "")[:60]
        told = f"A call in {where} is no JSON and stays text: {shown}."
        findings.append(("call_text", told, column, "warning"))
        return turn
    made = {**turn, "content": _CALL.sub("", parts.text).strip(), "tool_calls": calls}
    if parts.reasoning and not answers.thought({**turn, "content": ""}):
        made["reasoning_content"] = parts.reasoning
    return made


def _read(body: str) -> Row | None:
    """One call: JSON, Python's form of it, or parameters between tags."""
    calls = tool_calls(body)
    if calls and len(calls) == 1 and isinstance(calls[0]["function"]["arguments"], dict):
        return calls[0]
    _, (call, *_) = call_forms.split(f"<tool_call>{body}</tool_call>")
    return call.as_message() if call.name and call.arguments is not None else None


def _only(text: str) -> bool:
    """Whether a text is nothing but tools' results."""
    return not _RESULT.sub("", text).strip()


def calls_of(value: object, column: str) -> list[Row] | None:
    """The calls that an answer beside tools is; None where it is a text or other data.

    Raises `RowError` for a text that begins as a list of calls does and is no JSON, and for an
    empty list, which neither calls nor says anything.
    """
    calls = tool_calls(value)
    held = unwrapped(value)
    if held == []:
        raise RowError("empty_field", f'"{column}" calls no tool and says nothing.', column)
    if not calls and isinstance(held, str) and _BEGINS_AS_CALL.match(held):
        shown = " ".join(held.split())[:60]
        told = f'"{column}" holds a call that is no JSON: {shown}.'
        raise RowError("call_arguments", told, column)
    return calls
