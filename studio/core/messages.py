"""Chat messages, and the prompt and references of a row of any dataset type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Message = dict[str, Any]


def prompt_and_references(row: Mapping[str, Any]) -> tuple[list[Message], tuple[str, ...]] | None:
    """The prompt of a row as messages, and its reference answers; None for a row without one."""
    if row.get("messages"):
        turns = [_turn(turn) for turn in row["messages"]]
        at = next((i for i, turn in enumerate(turns) if turn["role"] == "assistant"), len(turns))
        answers = (turns[at]["content"],) if at < len(turns) else ()
        return (turns[:at], answers) if at else None
    prompt = row.get("prompt")
    if not prompt:
        return None
    messages = (
        [{"role": "user", "content": prompt}]
        if isinstance(prompt, str)
        else [_turn(turn) for turn in prompt]
    )
    return messages, _answers(row)


def _answers(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Alternatives under `answers`; else the completion, or the chosen answer."""
    several: str | list[object] | None = row.get("answers")
    if isinstance(several, list):
        return tuple(map(str, several))
    answer: str | list[Message] | None = row.get("completion") or row.get("chosen") or several
    if isinstance(answer, list):
        answer = "\n".join(str(turn["content"]) for turn in answer)
    return (answer,) if answer else ()


def _turn(turn: Mapping[str, Any]) -> Message:
    return {"role": turn["role"], "content": turn["content"] or ""}
