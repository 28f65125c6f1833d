"""A whole conversation in one string, as in HH: `\\n\\nHuman: ...\\n\\nAssistant: ...`."""

from __future__ import annotations

import re

from studio.data.names import ROLES
from studio.data.turns import Message

_STYLES = (
    re.compile(r"(?:^|\n\n)(Human|Assistant|System):(?: |(?=\n)|$)"),
    re.compile(r"(?:^|\n)### ?(Human|User|Assistant|System):(?: |\n|$)"),
    re.compile(r"(?:^|\n)(USER|User|Human|ASSISTANT|Assistant|SYSTEM|System):(?: |\n|$)"),
    re.compile(r"<\|im_start\|>(user|assistant|system)\n"),
    re.compile(r"<\|(user|assistant|system)\|>\n"),
)
_ENDS = ("<|im_end|>\n", "<|im_end|>", "</s>\n", "</s>", "<|endoftext|>")


def parse_transcript(text: str) -> list[Message] | None:
    """The turns of a transcript, texts untouched between the marks; None where it is not one.

    A transcript starts with a mark, has one of the user and one of the assistant.
    """
    for style in _STYLES:
        marks = list(style.finditer(text))
        if not marks or text[: marks[0].start()].strip():
            continue
        ends = [mark.start() for mark in marks[1:]] + [len(text)]
        messages = [
            {"role": ROLES[mark[1].lower()], "content": _without_end(text[mark.end() : end], style)}
            for mark, end in zip(marks, ends, strict=True)
        ]
        if {"user", "assistant"} <= {message["role"] for message in messages}:
            return messages
    return None


def _without_end(content: str, style: re.Pattern[str]) -> str:
    if "<" not in style.pattern:
        return content
    return next((content.removesuffix(end) for end in _ENDS if content.endswith(end)), content)


def open_transcript(prompt: list[Message]) -> list[Message]:
    """A prompt that is itself a transcript ending in an open `Assistant:` becomes its turns."""
    if len(prompt) != 1:
        return prompt
    turns = parse_transcript(prompt[0]["content"])
    if not turns or turns[-1]["role"] != "assistant" or turns[-1]["content"].strip():
        return prompt
    return turns[:-1]
