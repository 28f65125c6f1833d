"""What a model wrote, taken apart: its thinking, its answer, the tools it calls.

    found = read("<think>Two and two.</think>Four.")
    found.reasoning, found.text        # "Two and two.", "Four."

Thinking stands between marks (`<think>` of Qwen and DeepSeek, `[THINK]` of Mistral, the analysis
channel of gpt-oss, the thought channel of Gemma 4), in a field of a message (`reasoning_content`,
`thinking`, `reasoning`), or is sent apart by a server. Calls stay in the text as they were written,
and `tool_calls` reads them (`studio.core.call_forms`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from studio.core import call_forms
from studio.core.call_forms import ToolCall
from studio.core.json_values import as_object, loads

_MARKS = (
    ("<think>", "</think>"),
    ("[THINK]", "[/THINK]"),
    ("<seed:think>", "</seed:think>"),
    ("<|channel>thought", "<channel|>"),  # Gemma 4
)
FIELDS = ("reasoning_content", "thinking", "reasoning")
"""Where messages keep thinking, by whoever wrote them: vLLM and Qwen, TRL, OpenRouter."""
WRITTEN = (
    *(mark for pair in _MARKS for mark in pair),
    *call_forms.MARKS,
    *("<|channel>", "<channel|>"),
    *("<|start|>", "<|channel|>", "<|message|>", "<|constrain|>", "<|call|>", "<|end|>"),
)
"""Marks that are part of an answer, also where a tokenizer holds them as special tokens."""
_CHANNEL = "<|channel|>"


@dataclass(frozen=True)
class AnswerParts:
    """An answer without its thinking; `cut` where the thinking did not come to its end."""

    text: str
    reasoning: str = ""
    cut: bool = False

    @cached_property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The calls that the text makes."""
        return call_forms.split(self.text)[1]

    @cached_property
    def spoken(self) -> str:
        """The text without its calls."""
        return call_forms.split(self.text)[0]


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
    r"(?:<\|start\|>assistant|<\|start\|>|<\|channel\|>|\A)"
    r"(?P<head>(?:(?!<\|start\|>|<\|message\|>).)*)<\|message\|>(?P<body>.*?)"
    r"(?P<end><\|end\|>|<\|call\|>|<\|return\|>|(?=<\|start\|>)|\Z)",
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
