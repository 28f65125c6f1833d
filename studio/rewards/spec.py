"""One part of a reward, as people write it: `KIND` or `KIND:DETAIL`. No torch here.

    exact                 1 where the answer is one of the row's own answers
    numeric:COLUMN@gsm8k  1 where the extracted number is that of a column
    contains:COLUMN       1 where the answer contains a reference
    pattern:REGEX         1 where the pattern occurs in the answer
    length:5-28           1 where the number of words is within these limits
    format:think          1 where the whole answer has a form: think, json, line, or a pattern
    math:COLUMN           1 where the answer equals a reference as mathematics (math_verify)
    tool_call:COLUMN      1 where the answer makes a reference's tool calls
    schema:COLUMN         1 where the answer is JSON that a schema accepts; or schema:{...}
    language:de           1 where the answer is in that language
    code:COLUMN           1 where the answer's code passes a column's tests, if code is allowed
    overlong:80-120       0 up to 80 words, falling to -1 at 120
    model:RUN             the score of a trained reward model
    judge:MODEL           the score a judge gives by a rubric: a run, base:MODEL or api:MODEL

The comparisons and extractors are those of `studio.metrics.text`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from studio.core.errors import ConfigError, did_you_mean
from studio.metrics import text
from studio.rewards.checkers import CHECKERS, OWN, Measure, band


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
    "math": Kind("Mathematics", "COLUMN", "The answer equals a reference, by math_verify."),
    "tool_call": Kind("Tool calls", "COLUMN", "The answer makes a reference's tool calls."),
    "schema": Kind("JSON schema", "COLUMN or {...}", "The answer is JSON that a schema accepts."),
    "language": Kind("Language", "en, de, ...", "The answer is written in this language."),
    "code": Kind("Code with tests", "COLUMN", "The answer's code passes a column's tests."),
    "overlong": Kind("Too long", "LEAST-MOST", "0 up to LEAST words, falling to -1 at MOST."),
    "judge": Kind("Judge", "RUN, base:MODEL or api:MODEL", "A judge's score by a rubric, 0 to 1."),
    "model": Kind("Reward model", "RUN", "What a trained reward model gives."),
}
# The form TRL's own think_format_reward asks for.
_THINK = re.compile(r"<think>(?!.*<think>).*?</think>.*", re.DOTALL)


@dataclass(frozen=True)
class RewardTerm:
    """`name` is what charts call it; `column` is set where it compares with references.

    `measure` takes (answer, references); a model and a judge have none: a scorer does it, see
    `studio.models.reward_model` and `studio.generation.judge_reward`.
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

    @property
    def judge(self) -> str | None:
        """The judge, as it is named."""
        return self.text.partition(":")[2] if self.kind == "judge" else None

    @property
    def scorer(self) -> str | None:
        """The name under which its scorer is given; None for a rule."""
        return self.text if self.kind == "judge" else self.run


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
    if kind in ("math", "tool_call"):
        return CHECKERS[kind](detail)
    if not detail:
        raise ConfigError(f"The reward {kind} needs a detail: {kind}:{KINDS[kind].detail}.")
    if kind == "pattern":
        wanted = text.pattern(detail)
        return None, lambda answer, _: float(bool(wanted.search(answer)))
    if kind == "length":
        least, most = band(detail, kind)
        return None, lambda answer, _: float(least <= len(answer.split()) <= most)
    if kind == "format":
        return None, _form(detail)
    return CHECKERS[kind](detail) if kind in CHECKERS else (None, None)


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
