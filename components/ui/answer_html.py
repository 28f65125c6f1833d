"""Markup of what a model thought and which tools it calls: escaped, thoughts folded."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from components.ui.html import esc
from studio.core.answers import AnswerParts
from studio.core.formatting import plural


def thought(reasoning: str, tokens: int, thinking: bool, ended: bool, key: str = "") -> str:
    """The thinking, folded, with its length; "" where there is none.

    `thinking`: it has not come to its end; with `ended` it never will. The browser keeps the fold
    of a `key` open while answers are written (static/compare.js).
    """
    if not reasoning:
        return ""
    length = plural(tokens, "token") if tokens else plural(len(reasoning.split()), "word")
    said = f"Thought, {length}"
    if thinking:
        said = f"Thinking, {length}" if not ended else f"Cut off while thinking, after {length}"
    cut = " cut" if thinking and ended else ""
    fold = f' data-fold="{esc(key)}"' if key else ""
    return (
        f'<details class="thought{cut}"{fold}><summary>{esc(said)}</summary>'
        f'<p dir="auto">{esc(reasoning)}</p></details>'
    )


def calls(text: str) -> str:
    """The calls that an answer makes, each as its name with its arguments."""
    return "".join(
        f'<div class="call"><b>{esc(call.name or "unnamed tool")}</b>{_arguments(call.arguments)}'
        "</div>"
        for call in AnswerParts(text).tool_calls
    )


def _arguments(arguments: dict[str, object] | None) -> str:
    if arguments is None:
        return '<span class="call-broken">its arguments are not JSON</span>'
    cells = "".join(
        f"<dt>{esc(name)}</dt><dd>{esc(_value(value))}</dd>" for name, value in arguments.items()
    )
    return f"<dl>{cells}</dl>" if cells else "<span>without arguments</span>"


def _value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def tools_given(tools: Sequence[dict[str, Any]]) -> str:
    """The tools that a prompt brings, folded; "" where it brings none."""
    if not tools:
        return ""
    written = json.dumps(
        [tool.get("function", tool) for tool in tools], indent=1, ensure_ascii=False
    )
    return (
        f'<details class="tools-given"><summary>{plural(len(tools), "tool")} to call</summary>'
        f"<pre>{esc(written)}</pre></details>"
    )
