"""Random conversations of every kind, whose texts tell from which turn a character is."""

import random
from typing import Any

Chat = list[dict[str, Any]]
KINDS = ("plain", "system", "thinking", "thinking in the text", "tools", "all")
TOOL = {
    "type": "function",
    "function": {
        "name": "lookup",
        "description": "Look something up.",
        "parameters": {"type": "object", "properties": {"word": {"type": "string"}}},
    },
}
_PIECES = (
    "ash",
    "Elm ",
    "oak.",
    "\u00e9lan ",
    "\u4f60\u597d",
    "x1 ",
    "why? ",
    "two\nlines ",
    "-> ",
)


def words(draw: random.Random, turn: int, kind: str) -> str:
    """A text with its turn's own mark (`u3`, `a4`, `t4`) at its start and end."""
    mark = f"{kind}{turn}q"
    middle = "".join(draw.choice(_PIECES) for _ in range(draw.randint(1, 4))).strip()
    return f"{mark} {middle} {mark}"


def chat(seed: int, kind: str) -> Chat:
    """A conversation of one to four answers; of kind "all" with whatever a chat may have."""
    draw = random.Random(f"{seed} {kind}")
    has = (lambda one: draw.random() < 0.6) if kind == "all" else (lambda one: one == kind)
    turns: Chat = []
    if has("system"):
        turns.append({"role": "system", "content": words(draw, 0, "s")})
    for _ in range(draw.randint(1, 4)):
        turns.append({"role": "user", "content": words(draw, len(turns), "u")})
        if has("tools"):
            turns += _call(draw, len(turns))
        turns.append(_answer(draw, len(turns), has))
    if draw.random() < 0.3:
        turns.append({"role": "user", "content": words(draw, len(turns), "u")})
    return turns


def _call(draw: random.Random, at: int) -> Chat:
    call = {"name": "lookup", "arguments": {"word": f"a{at}q"}}
    return [
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"type": "function", "function": call}],
        },
        {"role": "tool", "name": "lookup", "content": words(draw, at + 1, "u")},
    ]


def _answer(draw: random.Random, at: int, has: Any) -> dict[str, Any]:
    turn = {"role": "assistant", "content": words(draw, at, "a")}
    if has("thinking in the text"):
        thought = words(draw, at, "t")
        return {**turn, "content": f"<think>\n{thought}\n</think>\n\n{turn['content']}"}
    return {**turn, "reasoning_content": words(draw, at, "t")} if has("thinking") else turn
