"""The process that compares mathematics with math_verify: see `studio.rewards.math_answers`.

It reads lines of JSON, {"answer", "references"}, and answers each with `1`, `0`, or `-` where
no reference is mathematics, so that no answer can be right. math_verify ends
what takes too long with a signal, which only a main thread can have; here it is one.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from math_verify import parse, verify

_MEMORY = 2 << 30
_LONGEST = 20_000  # characters; the end of an answer holds its result


def final(text: str) -> str:
    """What stands after GSM8K's mark, else all of it."""
    _, mark, rest = text.rpartition("####")
    return rest.strip() if mark else text[-_LONGEST:]


def compared(answer: str, references: Sequence[str]) -> str:
    known = [found for each in references if (found := gold(each))]
    if not known:
        return "-"
    said = parse(final(answer))
    return str(int(bool(said) and any(verify(each, said) for each in known)))


def gold(reference: str) -> list[Any]:
    """A reference as mathematics; LaTeX that stands without dollar signs is given them."""
    text = final(reference)
    if "\\" in text and "$" not in text and "boxed" not in text:
        text = f"${text}$"
    return parse(text)


def main() -> None:
    with suppress(ImportError):  # Windows has no such limits
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    logging.disable(logging.CRITICAL)
    for line in sys.stdin:
        given = json.loads(line)
        try:
            found = compared(given["answer"], given["references"])
        except Exception:  # what cannot be read as mathematics is not the right answer
            found = "0"
        sys.stdout.write(f"{found}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
