"""A model as judge: each pair in both orders, an order-dependent verdict counts as a tie.

The procedure of Zheng et al. (2023), "Judging LLM-as-a-Judge", section 3.4: a side wins only where
it is preferred in both orders. Verdicts never enter the vote store, so they never mix with votes.

    asked = judge.request(pairs, column, question)
    generation = studio.generate(asked)
    generation.wait()
    found = judge.result(generation.snapshot(), pairs, ...)
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from studio.core.answers import said
from studio.core.errors import ModelError
from studio.core.messages import Message, tools_of
from studio.core.quoted import quoted, rule
from studio.generation.request import Column, GenerationRequest, Sampling, Snapshot
from studio.labels.types import DEFAULT_QUESTION, JudgedItem, source_names
from studio.labels.win_rate_report import Outcome, duel
from studio.labels.win_rates import WinRate
from studio.metrics.proportions import wilson_interval

OnProgress = Callable[[int, int, str], None]
MAX_NEW_TOKENS = 1024  # a verdict is one letter; what is left is for a judge that thinks first
_INSTRUCTION = """\
Two answers were given to the same conversation. {question}{rubric}

{rule}

{conversation}

[Answer A]
{a}

[Answer B]
{b}

Do not let length or order sway you. {reply}"""
_AT_ONCE = "Reply with one letter only: A, B, or C if neither is better."
_AFTER_THINKING = (
    "Think first, as long as you need. End your reply with one letter in double brackets: [[A]], "
    "[[B]], or [[C]] if neither is better."
)
_BRACKETED = re.compile(r"\[\[([ABC])\]\]")
#: A letter alone at the start, or as in "A is better"; not the article of "A baker".
_LETTER = re.compile(r"\W*(?:(?i:answer|verdict)\b\W*)?([ABC])(?=\s*(?:$|[^\w\s'])|\s+is\b)")
_SIDES = {"A": "a", "B": "b", "C": "tie"}
_TURNED = {"a": "b", "b": "a", "tie": "tie"}


@dataclass(frozen=True)
class TextPair:
    """Two answers to one prompt, as messages."""

    prompt: Sequence[Message]
    a: str
    b: str


def by_models(items: Iterable[JudgedItem]) -> dict[tuple[str, str], list[TextPair]]:
    """A project's pairs by the two models that met, each pair in the same order."""
    items = list(items)
    named = source_names(items)
    found: dict[tuple[str, str], list[TextPair]] = {}
    for item in items:
        a, b = named(item.source_a), named(item.source_b)
        pair = TextPair(item.prompt, item.answer_a, item.answer_b)
        if (b, a) in found and a != b:
            a, b, pair = b, a, TextPair(item.prompt, item.answer_b, item.answer_a)
        found.setdefault((a, b), []).append(pair)
    return found


def judgeable(pairs: Sequence[TextPair]) -> tuple[list[TextPair], dict[str, int]]:
    """(pairs that can be judged, counts of the others by reason)."""
    kept: list[TextPair] = []
    aside = Counter[str]()
    for pair in pairs:
        if pair.a.strip() == pair.b.strip():
            aside["identical"] += 1
        elif not (pair.a.strip() and pair.b.strip()):
            aside["empty"] += 1
        else:
            kept.append(pair)
    return kept, dict(aside)


def request(
    pairs: Sequence[TextPair],
    judge: Column,
    question: str = DEFAULT_QUESTION,
    max_new_tokens: int = MAX_NEW_TOKENS,
    rubric: str = "",
    think: bool = False,
) -> GenerationRequest:
    """The judge's prompts: every pair twice, the second time with the sides swapped.

    `max_new_tokens` counts what a judge thinks before its verdict; `think` asks it to, where it
    does not by itself. `rubric` is Markdown.
    """
    reply = _AFTER_THINKING if think else _AT_ONCE
    rules = f"\n\n[Rubric]\n{rubric.strip()}" if rubric.strip() else ""
    prompts = [
        _asked(pair.prompt, *sides, question, rules, reply)
        for pair in pairs
        for sides in ((pair.a, pair.b), (pair.b, pair.a))
    ]
    # Greedy: the same judge says the same again.
    return GenerationRequest(tuple(prompts), (judge,), Sampling(max_new_tokens=max_new_tokens))


def _asked(
    prompt: Sequence[Message], a: str, b: str, question: str, rubric: str, reply: str
) -> list[Message]:
    turns = [(str(turn["role"]), said(turn)) for turn in prompt]
    if tools := tools_of(prompt):
        turns.insert(0, ("tools", json.dumps(tools, ensure_ascii=False)))
    mark, (a, b, *texts) = quoted([a, b, *(text for _, text in turns)])
    shown = [f"[{role}]\n{text}" for (role, _), text in zip(turns, texts, strict=True)]
    text = _INSTRUCTION.format(
        question=question,
        rubric=rubric,
        rule=rule(mark),
        conversation="\n\n".join(shown),
        a=a,
        b=b,
        reply=reply,
    )
    return [{"role": "user", "content": text}]


def read_verdict(reply: str) -> str | None:
    """`a`, `b` or `tie` as shown; None where the reply holds no verdict."""
    bracketed = _BRACKETED.findall(reply)
    if bracketed:
        return _SIDES[bracketed[-1]]
    found = _LETTER.match(reply)
    return _SIDES[found[1]] if found else None


def result(
    snapshot: Snapshot,
    pairs: Sequence[TextPair],
    judge: str,
    a: str,
    b: str,
    aside: dict[str, int] | None = None,
) -> dict[str, Any]:
    """Counts and figures, JSON-able; raises `ModelError` where the judge could not be asked.

    A reply is read after the judge's thinking; `cut_thoughts` counts those that ended within it.
    `flips` says how often the verdict changed with the order, over the pairs where both replies
    could be read; `first` how often the answer shown first was taken, of the decided replies, each
    pair counting once.
    """
    cells = snapshot.answers[0]
    if all(cell.error for cell in cells):
        raise ModelError(snapshot.error or cells[0].error or "The judge gave no answer.")
    verdicts: list[str | None] = []
    outcomes: list[Outcome] = []
    flips = 0
    for at, pair in enumerate(pairs):
        shown, turned = read_verdict(cells[2 * at].text), read_verdict(cells[2 * at + 1].text)
        if shown is None or turned is None:
            verdicts.append(None)
            continue
        flips += shown != _TURNED[turned]
        choice = shown if shown == _TURNED[turned] else "tie"
        verdicts.append(choice)
        outcomes.append(Outcome(pair.prompt, [choice], len(pair.a), len(pair.b)))
    won = Counter(verdicts)
    rate = WinRate(a, b, won["a"], won["tie"], won["b"])
    return {
        "judge": judge,
        "pairs": len(pairs),
        "set_aside": aside or {},
        "unread": won[None],
        "cut_thoughts": sum(cell.cut_thought for cell in cells),
        "flips": _share(flips, len(outcomes)),
        "first": _took_first([read_verdict(cell.text) for cell in cells]),
        "verdicts": verdicts,
        **duel(rate, outcomes),
    }


def _took_first(replies: Sequence[str | None]) -> dict[str, Any]:
    """Two replies a pair, one after the other: one judge's two replies are not independent."""
    pairs = [
        [reply == "a" for reply in replies[at : at + 2] if reply in ("a", "b")]
        for at in range(0, len(replies), 2)
    ]
    shares = [sum(each) / len(each) for each in pairs if each]
    return _share(sum(shares), len(shares))


def _share(count: float, total: int) -> dict[str, Any]:
    low, high = wilson_interval(count, total)
    value = count / total if total else None
    return {"value": value, "low": low, "high": high, "count": total}
