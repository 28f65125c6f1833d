"""What a person adds to prompts before models answer them: a system prompt, tools, and whether the
model thinks.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from studio.core import chat_templates, rendering
from studio.core.messages import Message, Prompt, kwargs_of, tools_of

if TYPE_CHECKING:
    from studio.core.library_types import Tokenizer
    from studio.engine.studio import Studio
    from studio.workflows.comparisons import Side

_NAMES = {True: "on", False: "off"}


@dataclass(frozen=True)
class Asking:
    """Added to every prompt. `kwargs` come before a row's own: they are the person's choice now;
    `tools` are for prompts that have none, and so is the `system` prompt."""

    system: str = ""
    tools: Sequence[Mapping[str, Any]] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    def prompt(self, messages: list[Message]) -> list[Message]:
        """The messages with all that; a plain list where there is nothing to carry."""
        tools = tools_of(messages) or [dict(tool) for tool in self.tools]
        kwargs = {**kwargs_of(messages), **self.kwargs}
        turns = list(messages)
        if self.system and (not turns or turns[0]["role"] != "system"):
            turns = [{"role": "system", "content": self.system}, *turns]
        return Prompt(turns, tools, kwargs) if tools or kwargs else turns

    def row(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """A row with the same beside it; the system prompt is its own."""
        tools = tools_of(row) or [dict(tool) for tool in self.tools]
        kwargs = {**kwargs_of(row), **self.kwargs}
        return {
            **row,
            **({"tools": json.dumps(tools, ensure_ascii=False)} if tools else {}),
            **({rendering.COLUMN: kwargs} if kwargs else {}),
        }


def switches(studio: Studio, sides: Sequence[Side]) -> list[tuple[str, str]]:
    """(label, NAME=VALUE) of what the templates of these models know of thinking; of models whose
    tokenizer is on this machine."""
    return switches_of(filter(None, (_tokenizer(studio, side) for side in sides)))


def switches_of(tokenizers: Iterable[Tokenizer]) -> list[tuple[str, str]]:
    """(label, NAME=VALUE) of what the chat templates of these tokenizers know of thinking."""
    found: dict[str, tuple[bool | str, ...]] = {}
    for tokenizer in tokenizers:
        found |= rendering.switches(tokenizer)
    return [
        (_label(name, value), f"{name}={str(value).lower()}")
        for name, values in found.items()
        for value in values
    ]


def without_tools(studio: Studio, sides: Sequence[Side]) -> list[str]:
    """The labels of models whose chat template writes no tools, so that they would not see them."""
    tokenizers = {side.label: _tokenizer(studio, side) for side in sides}
    return [label for label, one in tokenizers.items() if one and not rendering.takes_tools(one)]


def chosen(value: str) -> dict[str, Any]:
    """The kwargs of a switch's NAME=VALUE; nothing for ""."""
    name, _, text = value.partition("=")
    return {name: {"true": True, "false": False}.get(text, text)} if name else {}


def _label(name: str, value: bool | str) -> str:
    known = _NAMES.get(value) if isinstance(value, bool) else f"{value} effort"
    return f"{known} ({name})"


def _tokenizer(studio: Studio, side: Side) -> Tokenizer | None:
    from studio.calculator.dataset_lengths import local_tokenizer

    if side.endpoint:
        return None
    own = local_tokenizer(side.model)
    path = studio.runs.get(side.run).recipe.chat_template_path if side.run else None
    return chat_templates.with_chat_template(own, path) if own is not None else None
