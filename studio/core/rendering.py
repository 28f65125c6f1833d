"""What a chat template is given beside the messages: the one place that decides it.

A prompt's or a row's own `chat_template_kwargs` come before the recipe's, name by name; tools are
always the row's own. Training, the token view, answers, scores and exports all ask here.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from studio.core import compat
from studio.core.answers import FIELDS
from studio.core.errors import ConfigError
from studio.core.json_values import as_list, as_object
from studio.core.library_types import Tokenizer
from studio.core.messages import Message, kwargs_of, tools_of

COLUMN = "chat_template_kwargs"
RESERVED = {
    *("conversation", "messages", "tools", "documents", "chat_template", "tokenize", "padding"),
    *("add_generation_prompt", "continue_final_message", "truncation", "max_length"),
    *("return_tensors", "return_dict", "return_assistant_tokens_mask", "tokenizer_kwargs"),
}
"""Names that `apply_chat_template` takes itself."""
SWITCHES: dict[str, tuple[bool | str, ...]] = {
    "enable_thinking": (True, False),
    "thinking": (True, False),
    "reasoning_effort": ("low", "medium", "high"),
}
"""Variables of templates that decide how a model thinks, with the values they take."""
R = TypeVar("R", bound=Mapping[str, Any])


def options(given: Any, defaults: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Keyword arguments of `apply_chat_template` for a prompt or a row."""
    return {"tools": tools_of(given) or None, **kwargs(given, defaults)}


def kwargs(given: Any, defaults: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The `chat_template_kwargs` of a prompt or a row: its own, then the recipe's."""
    return {**(defaults or {}), **kwargs_of(given)}


def turns(messages: Iterable[Message], tokenizer: Tokenizer) -> list[Message]:
    """Messages whose thinking stands in the field that the tokenizer's template reads.

    `reasoning_content`, `thinking` and `reasoning` are one thing; where the template reads none of
    them, messages stay as they are.
    """
    found = thought_field(tokenizer.chat_template or "")
    if found is None:
        return list(messages)
    return [_renamed(message, found) for message in messages]


@functools.lru_cache(maxsize=64)
def thought_field(template: str) -> str | None:
    """The field of a message that a template writes as its thinking; None where it reads none."""
    read = (name for name in FIELDS if re.search(rf"""[.'"]{name}\b""", template))
    return next(read, None)


def _renamed(message: Message, name: str) -> Message:
    if message.get(name) or not (other := next(filter(message.get, FIELDS), None)):
        return message
    return {**{key: value for key, value in message.items() if key != other}, name: message[other]}


def row_turns(row: R, tokenizer: Tokenizer) -> R | dict[str, Any]:
    """A row whose messages are `turns`; itself where none has thinking in a field."""
    sides = {name: as_list(value) or [] for name, value in row.items()}
    chats = {name: value for name, value in sides.items() if any(map(_thinks, value))}
    return {**row, **{name: turns(value, tokenizer) for name, value in chats.items()}}


def _thinks(message: Any) -> bool:
    return any(map((as_object(message) or {}).get, FIELDS))


def with_defaults(row: R, defaults: Mapping[str, Any] | None) -> R | dict[str, Any]:
    """A row whose column holds what its rendering is given; itself where that is nothing."""
    found = kwargs(row, defaults)
    if not found:
        return row
    return {**row, COLUMN: found}


def checked(value: Any, where: str = COLUMN) -> dict[str, Any]:
    """Kwargs from an object or its JSON text; raises `ConfigError` naming what cannot be one."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise ConfigError(f"{where} is not JSON: {error}.") from None
    found = as_object(value)
    if found is None:
        raise ConfigError(f'{where} must be an object such as {{"enable_thinking": false}}.')
    for name, one in found.items():
        if not str(name).isidentifier() or name in RESERVED:
            raise ConfigError(f"{where} cannot set {name!r}: no chat template takes it so.")
        if not isinstance(one, bool | int | float | str):
            raise ConfigError(f"{where}: {name} must be true, false, a number or a text.")
    return found


def checked_tools(text: str) -> list[dict[str, Any]]:
    """Tools from a person's JSON: a list of functions, each with a name.

    Raises `ConfigError` with the sentence that says what is wrong.
    """
    if not text.strip():
        return []
    try:
        found: Any = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"The tools are not JSON: {error}.") from None
    several = as_list(found) if isinstance(found, list) else [found]
    return [_checked_tool(number, tool) for number, tool in enumerate(several or [], 1)]


def _checked_tool(number: int, tool: Any) -> dict[str, Any]:
    whole = as_object(tool) or {}
    function = as_object(whole.get("function", whole)) or {}
    if not isinstance(function.get("name"), str):
        raise ConfigError(
            f"Tool {number} has no name. Write each as "
            '{"type": "function", "function": {"name": ..., "parameters": {...}}}.'
        )
    if as_object(function.get("parameters", {})) is None:
        raise ConfigError(f"Tool {number} ({function['name']}): parameters must be an object.")
    return {"type": "function", "function": function}


def switches(tokenizer: Tokenizer) -> dict[str, tuple[bool | str, ...]]:
    """The variables of `SWITCHES` that a tokenizer's template reads."""
    template = tokenizer.chat_template
    found: frozenset[str] = variables(template) if template else frozenset()
    return {name: values for name, values in SWITCHES.items() if name in found}


def takes_tools(tokenizer: Tokenizer) -> bool:
    """Whether a tokenizer's template writes the tools it is given."""
    return "tools" in variables(tokenizer.chat_template or "")


@functools.lru_cache(maxsize=64)
def variables(template: str) -> frozenset[str]:
    """The names that a chat template reads and does not set itself."""
    return compat.template_variables(template)
