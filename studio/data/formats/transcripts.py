"""A whole conversation in one string: `\\n\\nHuman: ...\\n\\nAssistant: ...` as in HH, or one
that a chat template has been written into (`<s>[INST] ... [/INST]`, `<|im_start|>user`, ...)."""

from __future__ import annotations

import re
from typing import NamedTuple

from studio.data.formats.chat_turns import Message
from studio.data.formats.column_names import ROLES


class _Style(NamedTuple):
    """How turns are marked; `template`: by a chat template, whose marks no writer would type."""

    mark: re.Pattern[str]
    template: bool = False


_STYLES = (
    _Style(re.compile(r"(?:^|\n\n)(Human|Assistant|System):(?: |(?=\n)|$)")),
    _Style(re.compile(r"(?:^|\n)?### ?(Human|User|Assistant|System):(?: |\n|$)"), True),
    _Style(re.compile(r"(?:\n\n|\n|^)### (Instruction|Input|Response):(?:\n|$)"), True),
    _Style(
        re.compile(r"(?:^|\n)(USER|User|Human|ASSISTANT|Assistant|Bot|AI|SYSTEM|System):(?: |\n|$)")
    ),
    _Style(re.compile(r"(?:^|[ \n]|</s>)(USER|ASSISTANT):(?: |$)"), True),
    _Style(re.compile(r"<\|im_start\|>(user|assistant|system)\n"), True),
    _Style(re.compile(r"<\|(user|assistant|system)\|>\n"), True),
    _Style(
        re.compile(r"<\|start_header_id\|>(user|assistant|system)<\|end_header_id\|>\n\n"), True
    ),
    _Style(re.compile(r"<start_of_turn>(user|model)\n"), True),
    _Style(re.compile(r"(?: ?</s>\s?)?(?:<s>)? ?(\[/?INST\]) ?"), True),
)
_SPEAKERS = {
    **ROLES,
    **{"instruction": "user", "input": "user", "response": "assistant"},
    **{"[inst]": "user", "[/inst]": "assistant"},
}
_STARTS = ("<s>", "<bos>", "<|begin_of_text|>", "<|endoftext|>")
_ENDS = (
    "<|im_end|>\n",
    "<|im_end|>",
    " </s>",
    "</s>\n",
    "</s>",
    "<|endoftext|>",
    "<|eot_id|>",
    "<end_of_turn>\n",
    "<end_of_turn>",
    "<|end|>\n",
    "<|end|>",
)
_SYSTEM = re.compile(r"<<SYS>>\n(.*?)\n<</SYS>>\n\n", re.DOTALL)


_ALPACA = re.compile(r"Below is an instruction that describes a task")


def parse_transcript(text: str) -> list[Message] | None:
    """The turns of a transcript, texts untouched between the marks; None where it is not one.

    A transcript starts with a mark, has one of the user and one of the assistant.
    """
    return next((turns for style in _STYLES if (turns := _parsed(text, style))), None)


def from_template(text: str) -> bool:
    """Whether a chat template has been written into a text, so that its turns can be told."""
    return any(style.template and _parsed(text, style) for style in _STYLES)


def _parsed(text: str, style: _Style) -> list[Message] | None:
    marks = list(style.mark.finditer(text))
    if not marks:
        return None
    start = text[: marks[0].start()]
    start = next((start.removeprefix(s) for s in _STARTS if start.startswith(s)), start).strip()
    if start and marks[0][1] not in ("Instruction", "USER"):  # a preamble is the system turn
        return None
    if _ALPACA.match(start):  # a sentence about the template itself
        start = ""
    messages: list[Message] = [{"role": "system", "content": start}] if start else []
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    for mark, end in zip(marks, ends, strict=True):
        role, said = _SPEAKERS[mark[1].lower()], _without_end(text[mark.end() : end], style)
        if mark[1] == "Input" and messages and messages[-1]["role"] == "user":
            messages[-1]["content"] += f"\n\n{said}"
        elif mark[1] == "[INST]" and (told := _SYSTEM.match(said)):
            messages.append({"role": "system", "content": told[1]})
            messages.append({"role": role, "content": said[told.end() :]})
        else:
            messages.append({"role": role, "content": said})
    spoken = {message["role"] for message in messages}
    return messages if {"user", "assistant"} <= spoken else None


def _without_end(content: str, style: _Style) -> str:
    if not style.template:
        return content
    return next((content.removesuffix(end) for end in _ENDS if content.endswith(end)), content)


def is_open(text: str) -> bool:
    """Whether a text is a transcript that ends in an open `Assistant:`, so that it is a prompt."""
    turns = parse_transcript(text)
    return bool(turns) and turns[-1]["role"] == "assistant" and not turns[-1]["content"].strip()


def open_transcript(prompt: list[Message]) -> list[Message]:
    """A prompt whose last turn is a transcript ending in an open `Assistant:` becomes its turns."""
    if not prompt or prompt[-1]["role"] != "user" or not is_open(prompt[-1]["content"]):
        return prompt
    turns = (parse_transcript(prompt[-1]["content"]) or [])[:-1]
    if len(prompt) > 1 and turns[:1] and turns[0]["role"] == "system":
        return prompt
    return [*prompt[:-1], *turns]
