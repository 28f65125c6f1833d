"""What models are asked in Self-Instruct (Wang et al. 2022, arXiv:2212.10560), and how replies are
read. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Sequence

from studio.core.messages import Message
from studio.core.quoted import quoted, rule

_NUMBER = re.compile(
    r"^\s*(?:(?:task|question|instruction)\s*\d*\s*[:.]|\d+\s*[.):]|[-*])\s*", re.I
)
_SCORE = re.compile(r"(?<![\d.])(10|[1-9])(?:\.(\d+))?(?![\d])")
FEWEST_WORDS, MOST_WORDS = 3, 150


def instruction_chat(topic: str, document: str, examples: Sequence[str]) -> list[Message]:
    """Ask for one new task: about a topic, answered by a document, unlike the examples."""
    parts = []
    if document:
        parts.append(f"Here is a text:\n\n{document}\n\nWrite one question that it answers.")
    else:
        about = f" about {topic}" if topic else ""
        parts.append(f"Write one new task for an assistant{about}.")
    if examples:
        listed = "\n".join(f"{at}. {one}" for at, one in enumerate(examples, 1))
        parts.append(f"It must differ from these:\n{listed}")
    parts.append("Reply with it alone, on one line.")
    return [{"role": "user", "content": "\n\n".join(parts)}]


def instruction_text(topic: str, document: str, examples: Sequence[str]) -> str:
    """The same for a model that only continues text: a list of tasks, to be continued."""
    head = f"{document}\n\n" if document else ""
    head += f"Tasks about {topic}:\n" if topic else ""
    return head + "".join(f"{one}\n" for one in examples)


def read_instruction(said: str) -> str:
    """The first line of a reply, without its number or quotation marks; "" where there is none."""
    line = next((line for line in said.splitlines() if line.strip()), "")
    text = _NUMBER.sub("", line).strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'`":
        text = text[1:-1].strip()
    return text


def unfit(text: str, cut_off: bool) -> str | None:
    """Why a text is no instruction, or None: the length rules of Self-Instruct, and whether the
    model was cut off in the middle of it."""
    words = len(text.split())
    if not words:
        return "empty"
    if cut_off:
        return "cut off"
    if words < FEWEST_WORDS:
        return "too short"
    return "too long" if words > MOST_WORDS else None


def judge_chat(instruction: str, answer: str) -> list[Message]:
    """Ask a judge for a number from 1 to 10."""
    mark, (asked, given) = quoted([instruction, answer])
    text = (
        "Rate from 1 to 10 how well this answer does what was asked: correct, complete and to the "
        f"point. {rule(mark)}\n\n[Asked]\n{asked}\n\n[Answer]\n{given}\n\n"
        "Reply with the number only."
    )
    return [{"role": "user", "content": text}]


def read_score(said: str) -> float | None:
    """The first number from 1 to 10 of a judge's reply; None where there is none."""
    found = _SCORE.search(said)
    if not found:
        return None
    value = float(found[0])
    return value if 1 <= value <= 10 else None
