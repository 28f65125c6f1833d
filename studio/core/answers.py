"""What a model wrote, taken apart: its thinking, its answer, the tools it calls.

    found = read("<think>Two and two.</think>Four.")
    found.reasoning, found.text        # "Two and two.", "Four."

Thinking stands between marks (`<think>` of Qwen and DeepSeek, `[THINK]` of Mistral, the analysis
channel of gpt-oss), in a field of a message (`reasoning_content`, `thinking`, `reasoning`), or is
sent apart by a server. Calls stay in the text as they were written, and `tool_calls` reads them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from studio.core.json_values import as_list, as_object, loads

_MARKS = (("<think>", "</think>"), ("[THINK]", "[/THINK]"), ("<seed:think>", "</seed:think>"))
FIELDS = ("reasoning_content", "thinking", "reasoning")
"""Where messages keep thinking, by whoever wrote them: vLLM and Qwen, TRL, OpenRouter."""
WRITTEN = (
    *(mark for pair in _MARKS for mark in pair),
    *("<tool_call>", "</tool_call>", "[TOOL_CALLS]", "[CALL_ID]", "[ARGS]", "<|python_tag|>"),
    *("<|start|>", "<|channel|>", "<|message|>", "<|constrain|>", "<|call|>", "<|end|>"),
)
"""Marks that are part of an answer, also where a tokenizer holds them as special tokens."""
_CHANNEL = "<|channel|>"


@dataclass(frozen=True)
class ToolCall:
    """One call of a tool; `arguments` is None where what was written is no JSON object."""

    name: str
    arguments: dict[str, Any] | None

    def as_message(self) -> dict[str, Any]:
        """As chat templates take it."""
        function = {"name": self.name, "arguments": self.arguments or {}}
        return {"type": "function", "function": function}


@dataclass(frozen=True)
class AnswerParts:
    """An answer without its thinking; `cut` where the thinking did not come to its end."""

    text: str
    reasoning: str = ""
    cut: bool = False

    @cached_property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The calls that the text makes."""
        return _split_calls(self.text)[1]

    @cached_property
    def spoken(self) -> str:
        """The text without its calls."""
        return _split_calls(self.text)[0]


def read(written: str, prompt: str = "") -> AnswerParts:
    """Take an answer apart, also while it is being written.

    Args:
        prompt: what stood before it, as rendered; some templates open the thinking there.
    """
    if _CHANNEL in written or prompt.endswith((_CHANNEL, "analysis<|message|>")):
        return _channels(written)
    for start, end in _MARKS:
        opened = prompt.rstrip().endswith(start)
        begun = written.lstrip().startswith(start)
        if opened or begun:
            before, ended, after = written.partition(end)
            thought = before.replace(start, "", 1) if begun else before
            return AnswerParts(after.strip(), thought.strip(), cut=not ended)
    return AnswerParts(written)


def with_thought(text: str, reasoning: str) -> str:
    """An answer as one text that `read` takes apart again."""
    return f"<think>\n{reasoning}\n</think>\n\n{text}" if reasoning else text


def said(message: Mapping[str, Any]) -> str:
    """A message's answer without thinking; its calls in Hermes' form where it has some."""
    calls = [as_calls(call) for call in message.get("tool_calls") or ()]
    return "\n".join(
        part for part in (read(str(message.get("content") or "")).text, *calls) if part
    )


def thought(message: Mapping[str, Any]) -> str:
    """A message's thinking, from whichever field has it, or from its content."""
    own = next((str(message[name]) for name in FIELDS if message.get(name)), "")
    return own or read(str(message.get("content") or "")).reasoning


def as_calls(call: Mapping[str, Any]) -> str:
    """A call of a message as Hermes writes it, whatever the template."""
    function = as_object(call.get("function")) or dict(call)
    return call_text(str(function.get("name") or ""), function.get("arguments") or {})


def call_text(name: str, arguments: Any) -> str:
    """The same from a name and arguments; arguments that are no JSON stand as they were written."""
    known = loads(arguments) if isinstance(arguments, str) else arguments
    body = arguments if known is None else json.dumps(known, ensure_ascii=False)
    named = json.dumps(name, ensure_ascii=False)
    return f'<tool_call>\n{{"name": {named}, "arguments": {body or "{}"}}}\n</tool_call>'


# ---- gpt-oss ------------------------------------------------------------------------------------

_PIECE = re.compile(
    r"(?:<\|start\|>)?(?:assistant)?(?:<\|channel\|>)?(?P<head>[^<]*)(?:<\|constrain\|>\w+)?"
    r"<\|message\|>(?P<body>.*?)(?P<end><\|end\|>|<\|call\|>|<\|return\|>|(?=<\|start\|>)|\Z)",
    re.DOTALL,
)


def _channels(written: str) -> AnswerParts:
    """Analysis is thinking, a call is kept as it stands, everything else is the answer."""
    thoughts: list[str] = []
    texts: list[str] = []
    open_ = True
    for piece in _PIECE.finditer(written):
        if "analysis" in piece["head"] and "to=" not in piece["head"]:
            thoughts.append(piece["body"].strip())
            open_ = not piece["end"]
        else:
            open_ = False
            texts.append(piece[0] if "to=" in piece["head"] else piece["body"])
    return AnswerParts("\n".join(texts).strip(), "\n".join(thoughts), cut=open_ and not texts)


# ---- calls, by the family of the template -------------------------------------------------------

_HERMES = re.compile(r"<tool_call>\s*(.*?)\s*(?:</tool_call>|\Z)", re.DOTALL)
_QWEN_CODER = re.compile(r"<function=([^>]+)>(.*?)(?:</function>|\Z)", re.DOTALL)
_PARAMETER = re.compile(r"<parameter=([^>]+)>\n?(.*?)\n?</parameter>", re.DOTALL)
_MISTRAL_LIST = re.compile(r"\[TOOL_CALLS\]\s*(\[\s*\{.*)", re.DOTALL)
_MISTRAL = re.compile(
    r"\[TOOL_CALLS\]\s*([\w.-]+)(?:\[CALL_ID\]\w+)?\s*(?:\[ARGS\])?\s*(\{.*?)(?=\[TOOL_CALLS\]|\Z)",
    re.DOTALL,
)
_HARMONY = re.compile(r"to=functions\.([\w.-]+).*?<\|message\|>(.*?)(?:<\|call\|>|\Z)", re.DOTALL)
_LLAMA = re.compile(r"\s*(?:<\|python_tag\|>)?\s*(\{.*\})\s*", re.DOTALL)


def _split_calls(text: str) -> tuple[str, tuple[ToolCall, ...]]:
    """(the text without calls, the calls); text that is no call stays as it is."""
    if "<tool_call>" in text:
        found = [_of_hermes(body) for body in _HERMES.findall(text)]
        return _HERMES.sub("", text).strip(), tuple(found)
    if match := _MISTRAL_LIST.search(text):
        return text[: match.start()].strip(), tuple(map(_of_object, _several(match[1])))
    if _MISTRAL.search(text):
        found = [ToolCall(name, _object(body)) for name, body in _MISTRAL.findall(text)]
        return text[: text.index("[TOOL_CALLS]")].strip(), tuple(found)
    if "to=functions." in text and _CHANNEL in text:
        found = [ToolCall(name, _object(body)) for name, body in _HARMONY.findall(text)]
        return text[: text.index(_CHANNEL)].replace("<|start|>assistant", "").strip(), tuple(found)
    if match := _LLAMA.fullmatch(text):
        parts = [_object(part) for part in re.split(r";\s*(?=\{)", match[1])]
        if all(part is not None and _is_call(part) for part in parts):
            return "", tuple(_of_object(part) for part in parts)
    return text, ()


def _is_call(value: Mapping[str, Any]) -> bool:
    """Whether an answer that is JSON is Llama's call: a name, its parameters, and nothing else."""
    rest = set(value) - {"name", "parameters", "arguments", "type"}
    return isinstance(value.get("name"), str) and len(value) > 1 and not rest


def _of_hermes(body: str) -> ToolCall:
    if match := _QWEN_CODER.search(body):
        return ToolCall(match[1].strip(), {n: _value(v) for n, v in _PARAMETER.findall(match[2])})
    return _of_object(_object(body))


def _of_object(value: Any) -> ToolCall:
    call = as_object(value) or {}
    if not isinstance(call.get("name"), str):
        return ToolCall("", None)
    given: Any = call.get("arguments", call.get("parameters", {}))
    return ToolCall(call["name"], _object(given) if isinstance(given, str) else as_object(given))


def _several(text: str) -> list[Any]:
    try:
        found: Any = json.JSONDecoder().raw_decode(text)[0]
    except (ValueError, RecursionError):
        return [None]
    return as_list(found) or [found]


def _object(text: str) -> dict[str, Any] | None:
    return as_object(loads(text))


def _value(text: str) -> Any:
    """A parameter of Qwen3-Coder's form: JSON where it is that, else text."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
