"""Chat messages: their type, and what a row of any dataset type asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Message = dict[str, Any]


def prompt_and_references(row: Mapping[str, Any]) -> tuple[list[Message], tuple[str, ...]] | None:
    """The prompt of a row of any type, and the answers it holds."""
    if row.get("messages"):
        turns = [_turn(turn) for turn in row["messages"]]
        at = next((i for i, turn in enumerate(turns) if turn["role"] == "assistant"), len(turns))
        answers = (turns[at]["content"],) if at < len(turns) else ()
        return (turns[:at], answers) if at else None
    prompt = row.get("prompt")
    if not prompt:
        return None
    asked = (
        [{"role": "user", "content": prompt}]
        if isinstance(prompt, str)
        else [_turn(turn) for turn in prompt]
    )
    return asked, _answers(row)


def _answers(row: Mapping[str, Any]) -> tuple[str, ...]:
    """A row's own answers: several alternatives under `answers`, else the one it would teach."""
    several = row.get("answers")
    if isinstance(several, list):
        return tuple(str(each) for each in several)
    answer = row.get("completion") or row.get("chosen") or several
    if isinstance(answer, list):
        answer = "\n".join(str(turn["content"]) for turn in answer if isinstance(turn, Mapping))
    return (str(answer),) if answer else ()


def _turn(turn: Mapping[str, Any]) -> Message:
    return {"role": turn["role"], "content": turn["content"] or ""}
