"""Checks on single converted rows. Errors drop the row; warnings list it and keep it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from studio.core.messages import Message
from studio.data.checks import tool_turns
from studio.data.types import Row

Finding = tuple[str, str, str | None, str]
"""kind, message, field, severity."""

_PLACEHOLDER = re.compile(r"\{\{ ?[A-Za-z_][\w ]{0,38}\}\}")
_BAKED = re.compile(
    r"<\|(?:im_start|im_end|eot_id|start_header_id|end_header_id|begin_of_text|endoftext|end|user|"
    r"assistant|system)\|>|\[/?INST\]|<<SYS>>|<(?:start|end)_of_turn>|</s>|"
    r"(?:^|\n)### (?:Human|Assistant|Instruction|Response):"
)
_MARK = re.compile(r"(?:Human|Assistant|User|USER|ASSISTANT): ")
_MARK_INSIDE = re.compile(r"(?:^|\n)" + _MARK.pattern)
_SIDES = {"chosen", "rejected", "completion", "text"}


def check(row: Row, type: str, text: str | None = None) -> list[Finding]:
    """All findings about one converted row; `text` is its `whole_text`, if already computed."""
    found: list[Finding] = []
    if type == "conversational":
        turns = row["messages"]
        if not all(turn["content"].strip() for turn in turns):
            found.extend(_empties(row, type))
        found.extend(_told_by_roles(turns))
        if any(len(turn) > 2 or turn["role"] == "tool" for turn in turns):
            found.extend(tool_turns.check(turns, "messages", row.get("tools")))
            found.extend(tool_turns.untrained(turns, "messages"))
    else:
        found.extend(_empties(row, type))
        if isinstance(row.get("prompt"), list):
            found.extend(_prompt(row["prompt"]))
        found.extend(_calls(row))
    if type == "preference" and _plain(row["chosen"]) == _plain(row["rejected"]):
        found.append(("equal_sides", "Chosen and rejected are identical.", "rejected", "error"))
    if _worth_a_look(whole_text(row) if text is None else text):
        for name, inner in texts_of(row):
            found.extend(_in_text(name, inner, type))
    return _once(found) if len(found) > 1 else found


def _calls(row: Row) -> Iterator[Finding]:
    """Findings on calls in a prompt and in each answer to it."""
    for name in ("prompt", "completion", "chosen", "rejected"):
        turns = row.get(name)
        if isinstance(turns, list) and all(isinstance(turn, dict) for turn in turns):
            yield from tool_turns.check(turns, name, row.get("tools"))


def whole_text(row: Row) -> str:
    """All texts of a row, one per line, without tools and provenance."""
    if len(row) == 1 and "messages" in row:
        return "\n".join([turn["content"] for turn in row["messages"]])
    return "\n".join([text for name, text in texts_of(row) if name not in ("tools", "provenance")])


def _worth_a_look(text: str) -> bool:
    """A cheap test whether a text can have a finding at all; most rows stop here."""
    return (
        "<" in text
        or "[" in text
        or "{{" in text
        or "###" in text
        or not text.isascii()
        or (": " in text and _MARK_INSIDE.search(text) is not None)
    )


def _in_text(name: str, text: str, type: str) -> Iterator[Finding]:
    if not text.isascii():
        yield from _characters(name, text)
    if "{{" in text and (match := _PLACEHOLDER.search(text)):
        yield "placeholder", f'A placeholder is left in "{name}": {match[0]}.', name, "warning"
    if ("<" in text or "[" in text or "###" in text) and (match := _BAKED.search(text)):
        message = f'"{name}" already contains a chat template token: {match[0].strip()}.'
        yield "template_token", message, name, "warning"
    if type != "language_modeling" and (match := _MARK.match(text)):
        message = (
            f'A turn of "{name}" starts with "{match[0].strip()}": two turns may have been merged.'
        )
        yield "role_mark", message, name, "warning"


def _once(found: list[Finding]) -> list[Finding]:
    """Keep the first finding of each kind and field."""
    seen: dict[tuple[str, str | None], Finding] = {}
    for finding in found:
        seen.setdefault((finding[0], finding[2]), finding)
    return list(seen.values())


def texts_of(row: Row) -> Iterator[tuple[str, str]]:
    """(field, text) of every text in a row."""
    for name, value in row.items():
        if isinstance(value, str):
            yield name, value
        elif isinstance(value, list):
            for item in value:
                if isinstance(item, str):
                    yield name, item
                elif isinstance(item, dict) and isinstance(item.get("content"), str):
                    yield name, item["content"]


_NO_TURNS = {
    *("tools", "chat_template_kwargs", "provenance", "votes", "label", "follow_ups", "answers"),
    *("tests", "test_list", "schema", "json_schema", "negatives"),
}


def _empties(row: Row, type: str) -> Iterator[Finding]:
    for name, value in row.items():
        if name in _NO_TURNS:
            continue
        if isinstance(value, str):
            if not value.strip():
                yield "empty_field", f'"{name}" is empty.', name, "error"
            continue
        if not isinstance(value, list):
            continue
        last = value[-1] if value else None
        if last is None:
            yield "empty_field", f'"{name}" has no turns.', name, "error"
        elif not _said(last) and (name in _SIDES or name == "messages" or last["role"] == "user"):
            yield "empty_field", f'The last turn of "{name}" is empty.', name, "error"
        elif any(not _said(turn) for turn in value[:-1]):
            at = next(at for at, turn in enumerate(value, 1) if not _said(turn))
            message = f'Turn {at} of "{name}" ({value[at - 1]["role"]}) is empty.'
            yield "empty_turn", message, name, "warning"


def _said(turn: Row) -> bool:
    return bool(turn.get("content", "").strip() or turn.get("tool_calls"))


_ORDERS: dict[str, list[Finding]] = {}
"""Findings by order of roles: a cache, since few orders exist."""


def _told_by_roles(messages: list[Row]) -> list[Finding]:
    if len(messages) > 16 or any(len(turn) > 2 for turn in messages):
        return list(_conversation(messages))
    order = " ".join([turn["role"] for turn in messages])
    told = _ORDERS.get(order)
    if told is None:
        told = list(_conversation(messages))
        if len(_ORDERS) < 1000:
            _ORDERS[order] = told
    return told


def _conversation(messages: list[Row]) -> Iterator[Finding]:
    roles = [turn["role"] for turn in messages]
    if "assistant" not in roles:
        yield (
            "no_assistant",
            "There is no assistant turn, so there is nothing to train on.",
            "messages",
            "error",
        )
        return
    if roles[-1] != "assistant":
        message = f"The conversation ends with a {roles[-1]} turn, not an assistant turn."
        yield "ends_without_assistant", message, "messages", "warning"
    yield from _alternation(messages, "messages")


def _prompt(messages: list[Row]) -> Iterator[Finding]:
    yield from _alternation(messages, "prompt")
    if messages and messages[-1]["role"] == "assistant":
        message = (
            "The prompt ends with an assistant turn, so two assistant turns follow each other."
        )
        yield "roles", message, "prompt", "warning"


def _alternation(messages: list[Row], name: str) -> Iterator[Finding]:
    roles = [turn["role"] for turn in messages]
    if "user" not in roles:
        yield (
            "no_user",
            f'"{name}" has no user turn; some chat templates reject this.',
            name,
            "warning",
        )
    before = ""
    for at, (role, turn) in enumerate(zip(roles, messages, strict=True), 1):
        if role == "system" and at > 1:
            message = f'Turn {at} of "{name}" is a system turn that is not the first turn.'
            yield "roles", message, name, "warning"
        called = before == "assistant" and messages[at - 2].get("tool_calls")
        if (
            role == before
            and role in ("user", "assistant")
            and not (called or turn.get("tool_calls"))
        ):
            message = f'Turns {at - 1} and {at} of "{name}" are both {role} turns.'
            yield "roles", message, name, "warning"
        if role == "assistant" and before in ("", "system"):
            message = f'"{name}" starts with an assistant turn.'
            yield "roles", message, name, "warning"
        before = role


def _characters(name: str, text: str) -> Iterator[Finding]:
    if "\ufffd" in text:
        message = f'"{name}" contains \ufffd: it was decoded with the wrong encoding.'
        yield "replacement_character", message, name, "warning"
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        message = f'"{name}" contains half a character (a lone surrogate), which cannot be stored.'
        yield "lone_surrogate", message, name, "error"


def _plain(side: str | list[Message]) -> object:
    """What two answers are compared by: their texts, stripped."""
    if isinstance(side, str):
        return side.strip()
    return [
        (turn["role"], turn.get("content", "").strip(), turn.get("tool_calls")) for turn in side
    ]


def prompt_of(row: Row) -> Any:
    """The prompt of a row; rows with the same prompt stay in the same split."""
    if "prompt" in row:
        return row["prompt"]
    if "messages" in row:
        turns = row["messages"]
        first = next(
            (at for at, turn in enumerate(turns) if turn["role"] == "assistant"), len(turns)
        )
        return turns[:first] or turns
    return row
