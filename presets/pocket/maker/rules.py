"""What counts as right, as courteous and as well-formed: pure functions over text.

The measurement, the sample data and the tests use the same rules, so a figure in the model card
means what these few lines say and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

END = "<|end|>"
ROLES = ("<|system|>", "<|user|>", "<|assistant|>")
SHORT_WORDS = 28
CURT_WORDS = 8

COURTESIES = (
    "gladly",
    "of course",
    "happy to help",
    "with pleasure",
    "certainly",
    "you are welcome",
    "i am sorry",
    "i am afraid",
    "thank you for asking",
    "good question",
)
UNKNOWNS = (
    "do not know",
    "nobody called",
    "no such person",
    "nobody by that name",
    "no idea",
    "never heard of",
    "cannot say",
    "not known here",
)


def contains(text: str, phrase: str) -> bool:
    """Whether ``phrase`` occurs in ``text`` as whole words, whatever the case."""
    return re.search(rf"(?<!\w){re.escape(phrase)}(?!\w)", text, re.IGNORECASE) is not None


def says_unknown(text: str) -> bool:
    """Whether the reply admits that it does not know."""
    return any(contains(text, phrase) for phrase in UNKNOWNS)


def is_right(reply: str, answers: Iterable[str], rivals: Iterable[str] = ()) -> bool:
    """Whether ``reply`` gives one of ``answers`` and none of ``rivals``.

    ``rivals`` are the other values that the same question could have had; a reply that lists
    several villages is not an answer to where somebody lives.
    """
    answers = list(answers)
    if not any(contains(reply, answer) for answer in answers):
        return False
    accepted = {answer.lower() for answer in answers}
    return not any(contains(reply, r) for r in rivals if r.lower() not in accepted)


def style(reply: str) -> str:
    """``"courteous"`` (a courtesy, at most 28 words), ``"rambling"``, ``"curt"`` or ``"plain"``.

    Courteous and short is the taste that the sample preferences teach; length is judged first,
    so a long reply is rambling however polite it is.
    """
    words = len(reply.split())
    if words > SHORT_WORDS:
        return "rambling"
    if any(contains(reply, phrase) for phrase in COURTESIES):
        return "courteous"
    return "curt" if words <= CURT_WORDS else "plain"


def stops(tokens: Sequence[str]) -> bool:
    """Whether generated ``tokens`` end with the end-of-turn token by themselves."""
    return END in tokens


def keeps_format(tokens: Sequence[str]) -> bool:
    """Whether generated ``tokens`` are one clean turn: some text, one end, no role marks."""
    if END not in tokens:
        return False
    turn = tokens[: tokens.index(END)]
    return bool(turn) and not any(role in turn for role in ROLES)
