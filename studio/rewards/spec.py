"""One part of a reward, as people write it: `KIND` or `KIND:DETAIL`. No torch here.

    exact                 1 where the answer is one of the row's own answers
    numeric:COLUMN@gsm8k  1 where the extracted number is that of a column
    contains:COLUMN       1 where the answer contains a reference
    pattern:REGEX         1 where the pattern occurs in the answer
    length:5-28           1 where the number of words is within these limits
    format:think          1 where the whole answer has a form: think, json, line, or a pattern
    model:RUN             the score of a trained reward model

The comparisons and extractors are those of `studio.metrics.text`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from studio.core.errors import ConfigError, did_you_mean
from studio.metrics import text

OWN = ""  # the "column" of a row's own answers


class Kind(NamedTuple):
    """One way to reward: its name for people, what its detail is, and what gets 1."""

    label: str
    detail: str
    help: str


KINDS: dict[str, Kind] = {
    "exact": Kind("Exact answer", "COLUMN@EXTRACTOR", "The extracted answer equals a reference."),
    "numeric": Kind("Right number", "COLUMN@EXTRACTOR", "The extracted number is a reference's."),
    "contains": Kind("Contains", "COLUMN", "The answer contains a reference."),
    "pattern": Kind("Pattern", "REGEX", "The pattern occurs in the answer."),
    "length": Kind("Length", "LEAST-MOST", "The answer's number of words is within the limits."),
    "format": Kind("Form", "think, json, line or REGEX", "The whole answer has this form."),
    "model": Kind("Reward model", "RUN", "What a trained reward model gives."),
}
# The form TRL's own think_format_reward asks for.
_THINK = re.compile(r"<think>(?!.*<think>).*?</think>.*", re.DOTALL)

Measure = Callable[[str, Sequence[str]], float]


@dataclass(frozen=True)
class RewardTerm:
    """`name` is what charts call it; `column` is set where it compares with references.

    `measure` takes (answer, references); a model has none, see `studio.models.reward_model`.
    """

    text: str
    kind: str
    name: str
    column: str | None = None
    measure: Measure | None = None

    @property
    def run(self) -> str | None:
        """The run of a reward model."""
        return self.text.partition(":")[2] if self.kind == "model" else None


def parse(texts: Sequence[str]) -> tuple[RewardTerm, ...]:
    """The parts of a reward; a `ConfigError` says which is wrong and how to write it."""
    found: list[RewardTerm] = []
    for written in texts:
        kind, _, detail = written.partition(":")
        kind, detail = kind.strip(), detail.strip()
        if kind not in KINDS:
            raise ConfigError(
                f"There is no reward {kind!r}.{did_you_mean(kind, KINDS)} "
                f"Rewards: {', '.join(KINDS)}."
            )
        same = sum(part.kind == kind for part in found)
        column, measure = _measure(kind, detail)
        name = f"{kind}_{same + 1}" if same else kind
        found.append(
            RewardTerm(f"{kind}:{detail}" if detail else kind, kind, name, column, measure)
        )
    return tuple(found)


def _measure(kind: str, detail: str) -> tuple[str | None, Measure | None]:
    if kind in ("exact", "numeric", "contains"):
        return _comparison(kind, detail)
    if not detail:
        raise ConfigError(f"The reward {kind} needs a detail: {kind}:{KINDS[kind].detail}.")
    if kind == "pattern":
        wanted = text.pattern(detail)
        return None, lambda answer, _: float(bool(wanted.search(answer)))
    if kind == "length":
        least, most = _band(detail)
        return None, lambda answer, _: float(least <= len(answer.split()) <= most)
    if kind == "format":
        return None, _form(detail)
    return None, None


def _comparison(kind: str, detail: str) -> tuple[str, Measure]:
    column, _, name = detail.partition("@")
    extract = text.extractor(name or ("gsm8k" if kind == "numeric" else "text"))
    compare = {"exact": text.exact_match, "numeric": text.numeric_match, "contains": text.contains}[
        kind
    ]

    def measure(answer: str, known: Sequence[str]) -> float:
        said = answer if kind == "contains" else extract(answer)
        return compare(said, [extract(each) for each in known])

    return column.strip() or OWN, measure


def _band(detail: str) -> tuple[int, int]:
    least, _, most = detail.partition("-")
    if not (least.isdigit() and most.isdigit() and int(least) <= int(most)):
        raise ConfigError(
            f"length:{detail} is no band of words; write it as length:5-28, the least first."
        )
    return int(least), int(most)


def _form(detail: str) -> Measure:
    if detail == "json":
        return lambda answer, _: float(_is_json(answer))
    if detail == "line":
        return lambda answer, _: float(bool(answer.strip()) and "\n" not in answer.strip())
    if detail == "think":
        return lambda answer, _: float(bool(_THINK.fullmatch(answer.strip())))
    whole = text.pattern(detail, "ms")
    return lambda answer, _: float(bool(whole.fullmatch(answer.strip())))


def _is_json(answer: str) -> bool:
    try:
        json.loads(answer)
    except ValueError:
        return False
    return True
