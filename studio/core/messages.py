"""Chat messages, and the prompt and references of a row of any dataset type."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from studio.core import answers
from studio.core.json_values import as_list, as_object, loads

Message = dict[str, Any]
_KEPT = ("name", "tool_call_id", "tool_calls", "thinking", "reasoning_content", "reasoning")
"""What a message carries besides its role and its content, for chat templates to write."""


class Prompt(list[Message]):
    """Messages to be answered, with what the chat template is given beside them.

    It is the list of its messages for whoever needs only those; `tools` are functions as JSON
    schema, `chat_template_kwargs` are TRL's column of that name. Parts and sums of it are plain
    lists.
    """

    def __init__(
        self,
        messages: Iterable[Message] = (),
        tools: Iterable[Mapping[str, Any]] = (),
        chat_template_kwargs: Mapping[str, Any] | None = None,
    ):
        super().__init__(messages)
        self.tools = [dict(tool) for tool in tools]
        self.chat_template_kwargs = dict(chat_template_kwargs or {})

    def __eq__(self, other: object) -> bool:
        same = tools_of(self) == tools_of(other) and kwargs_of(self) == kwargs_of(other)
        return same and super().__eq__(other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def followed_by(self, messages: Iterable[Message]) -> Prompt:
        """The prompt with more messages at its end."""
        return Prompt([*self, *messages], self.tools, self.chat_template_kwargs)


def tools_of(given: Any) -> list[dict[str, Any]]:
    """The tools of a prompt, or of a row that has them as a list or as JSON text."""
    found = _beside(given, "tools")
    return as_list(found) or []


def kwargs_of(given: Any) -> dict[str, Any]:
    """The `chat_template_kwargs` of a prompt, or of a row that has them as an object or as JSON
    text; values of None are places that Arrow filled in."""
    found = as_object(_beside(given, "chat_template_kwargs")) or {}
    return {key: value for key, value in found.items() if value is not None}


def _beside(given: Any, name: str) -> Any:
    row = as_object(given)
    found = getattr(given, name, None) if row is None else row.get(name)
    return loads(found) if isinstance(found, str) else found


def plain(prompt: list[Message]) -> Any:
    """A prompt as JSON: its messages, or an object where it has tools or kwargs (see `revived`)."""
    tools, kwargs = tools_of(prompt), kwargs_of(prompt)
    if not (tools or kwargs):
        return [dict(turn) for turn in prompt]
    return {"messages": list(prompt), "tools": tools, "chat_template_kwargs": kwargs}


def revived(value: Any) -> list[Message]:
    """What `plain` wrote, as a prompt again."""
    row = as_object(value)
    if row is None:
        return value
    return Prompt(row["messages"], tools_of(row), kwargs_of(row))


def prompt_and_references(row: Mapping[str, Any]) -> tuple[list[Message], tuple[str, ...]] | None:
    """The prompt of a row as messages, and its reference answers without their thinking; None for
    a row without a prompt. The prompt is a `Prompt` where the row has tools or kwargs."""
    if row.get("messages"):
        turns = [_turn(turn) for turn in row["messages"]]
        at = first_answer(turns)
        found = (answers.said(turns[at]),) if at < len(turns) else ()
        return (_prompt(turns[:at], row), found) if at else None
    prompt = row.get("prompt")
    if not prompt:
        return None
    messages = (
        [{"role": "user", "content": prompt}]
        if isinstance(prompt, str)
        else [_turn(turn) for turn in prompt]
    )
    return _prompt(messages, row), _answers(row)


def prompt_of(row: Mapping[str, Any]) -> list[Message] | None:
    """The prompt of a row of any type, or None."""
    found = prompt_and_references(row)
    return found[0] if found else None


def first_answer(turns: list[Message]) -> int:
    """Where the assistant first speaks; the number of turns where it never does."""
    return next((i for i, turn in enumerate(turns) if turn["role"] == "assistant"), len(turns))


def _prompt(messages: list[Message], row: Mapping[str, Any]) -> list[Message]:
    tools, kwargs = tools_of(row), kwargs_of(row)
    return Prompt(messages, tools, kwargs) if tools or kwargs else messages


def _answers(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Alternatives under `answers`; else the completion, or the chosen answer."""
    several: str | list[object] | None = row.get("answers")
    if isinstance(several, list):
        return tuple(map(str, several))
    answer: str | list[Message] | None = row.get("completion") or row.get("chosen") or several
    if isinstance(answer, list):
        answer = "\n".join(answers.said(turn) for turn in answer)
    elif answer:
        answer = answers.read(answer).text
    return (answer,) if answer else ()


def _turn(turn: Mapping[str, Any]) -> Message:
    kept = {name: turn[name] for name in _KEPT if turn.get(name) is not None}
    return {"role": turn["role"], "content": turn["content"] or "", **kept}
