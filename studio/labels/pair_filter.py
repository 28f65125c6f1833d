"""Items from two columns of answers or rows of a dataset, without pairs not worth labeling.

Set aside and counted, never silently dropped:

    "empty prompt"    nothing was asked
    "empty answer"    one of the two is blank
    "cut-off thought" one of the two models was cut off while it was thinking
    "identical"       the two answers are the same text (white space aside)
    "near-identical"  the same words (case and punctuation aside), or, of long answers, nearly all
    "duplicate"       the same prompt with the same two answers, in either order, is already there
"""

from __future__ import annotations

import difflib
import hashlib
import json
import math
import random
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from studio.core.answers import read, said, thought, with_thought
from studio.core.errors import DataError
from studio.core.messages import Message, Prompt, kwargs_of, plain, tools_of
from studio.labels.types import JudgedItem, Pair, as_messages, clean_text

ORDERS = ("random", "given", "uncertain")
_WORDS = re.compile(r"\w+")
_LONG, _NEARLY_ALL = 50, 0.97  # words of a long answer, and the share of them that may be the same
_STRATUM = 4  # in "uncertain" order, every fourth item is drawn at random

_NAMED_BY = {
    "a": ("model1", "model_1", "model_a", "source1", "answer1_model"),
    "b": ("model2", "model_2", "model_b", "source2", "answer2_model"),
}


def pair_digest(item: Pair) -> str:
    """A hash of prompt and both answers that does not depend on which answer is a and which b."""
    answers = sorted((_squeeze(item.answer_a), _squeeze(item.answer_b)))
    key = json.dumps([plain(as_messages(item.prompt)), answers], sort_keys=True)
    return hashlib.sha256(key.encode()).hexdigest()


def why_set_aside(item: Pair) -> str | None:
    """The reason not to label this pair, None if it is worth it."""
    if not any(message["content"].strip() for message in as_messages(item.prompt)):
        return "empty prompt"
    if item.source_a.get("cut_thought") or item.source_b.get("cut_thought"):
        return "cut-off thought"
    first, second = _squeeze(item.answer_a), _squeeze(item.answer_b)
    if not first or not second:
        return "empty answer"
    if first == second:
        return "identical"
    return "near-identical" if _nearly(first, second) else None


def _nearly(first: str, second: str) -> bool:
    """Whether the two have practically the same words."""
    one, two = (_WORDS.findall(text.casefold()) for text in (first, second))
    if one == two:
        return bool(one)  # texts without any word (code, emoji) are compared by their characters
    longest = max(len(one), len(two))
    shared = sum((Counter(one) & Counter(two)).values())
    return longest >= _LONG and shared >= _NEARLY_ALL * longest and _in_order(one, two)


def _in_order(one: list[str], two: list[str]) -> bool:
    return difflib.SequenceMatcher(None, one, two, autojunk=False).ratio() >= _NEARLY_ALL


def filter_pairs(
    items: Iterable[Pair], known: Iterable[str] = ()
) -> tuple[dict[str, Pair], dict[str, int]]:
    """Worthwhile items by digest, and the count of those set aside by reason.

    `known` holds digests that are already there. Items come back normalised: the prompt as
    messages, every text storable, thinking in the source of its answer. Raises `DataError` naming
    the item for an answer that is not text.
    """
    kept: dict[str, Pair] = {}
    aside: Counter[str] = Counter()
    seen = set(known)
    for number, item in enumerate(items, 1):
        answers: dict[str, object] = {"a": item.answer_a, "b": item.answer_b}
        for side, answer in answers.items():
            if not isinstance(answer, str):
                found = type(answer).__name__
                raise DataError(f"Item {number}: answer {side} must be text, found {found}.")
        a, source_a = _apart(item.answer_a, item.source_a)
        b, source_b = _apart(item.answer_b, item.source_b)
        prompt = as_messages(item.prompt, f"item {number}")
        item = replace(
            item, prompt=prompt, answer_a=a, answer_b=b, source_a=source_a, source_b=source_b
        )
        digest = pair_digest(item)
        reason = why_set_aside(item) or ("duplicate" if digest in seen else None)
        if reason:
            aside[reason] += 1
            continue
        seen.add(digest)
        kept[digest] = item
    return kept, dict(aside)


def _apart(answer: str, source: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """An answer without its thinking, which goes to its source."""
    found = read(clean_text(answer))
    if not found.reasoning:
        return found.text, source
    thought: dict[str, Any] = {"reasoning": found.reasoning}
    return found.text, {**source, **thought, **({"cut_thought": True} if found.cut else {})}


def order_pairs(
    fresh: Sequence[tuple[str, Pair]], order: str, seed: str
) -> list[tuple[str, Pair, bool]]:
    """Items in the order in which they are asked, each with whether its place is due to chance.

    "uncertain" asks first where people disagreed before (`provenance["disagreement"]`: the share of
    votes against the majority) and where the implicit reward margin (`provenance["margin"]`: how
    much better the model itself takes one answer to be) is small, yet draws every fourth item by
    chance: unbiased win rates are computed on those alone. Items with neither come last.
    """
    shuffled = list(fresh)
    if order == "given":
        return [(digest, item, True) for digest, item in shuffled]
    random.Random(seed).shuffle(shuffled)
    if order == "random":
        return [(digest, item, True) for digest, item in shuffled]
    drawn, rest = shuffled[::_STRATUM], [x for n, x in enumerate(shuffled) if n % _STRATUM]
    rest.sort(key=lambda pair: (-_figure(pair[1], "disagreement", 0), _figure(pair[1], "margin")))
    arranged: list[tuple[str, Pair, bool]] = []
    for number in range(len(shuffled)):
        by_chance = number % _STRATUM == 0
        digest, item = (drawn if by_chance else rest)[
            number // _STRATUM if by_chance else number - number // _STRATUM - 1
        ]
        arranged.append((digest, item, by_chance))
    return arranged


def _figure(item: Pair, name: str, unknown: float = math.inf) -> float:
    figure = item.provenance.get(name)
    if isinstance(figure, bool) or not isinstance(figure, int | float) or math.isnan(figure):
        return unknown
    return abs(figure)


def pairs_from_texts(
    prompts: Sequence[Sequence[Mapping[str, Any]] | str],
    answers_a: Sequence[str],
    answers_b: Sequence[str],
    source_a: Mapping[str, Any],
    source_b: Mapping[str, Any],
    provenance: Mapping[str, Any] | None = None,
) -> tuple[list[Pair], dict[str, int]]:
    """Pair two columns of answers over the same prompts: `(items, set aside by reason)`."""
    if not len(prompts) == len(answers_a) == len(answers_b):
        raise DataError(
            f"Pairs need as many answers as prompts: {len(prompts)} prompts, "
            f"{len(answers_a)} first and {len(answers_b)} second answers."
        )
    made = (
        Pair(as_messages(prompt), first, second, source_a, source_b, provenance or {})
        for prompt, first, second in zip(prompts, answers_a, answers_b, strict=True)
    )
    kept, aside = filter_pairs(made)
    return list(kept.values()), aside


def items_from_rows(
    rows: Iterable[Mapping[str, Any]], provenance: Mapping[str, Any] | None = None
) -> list[Pair]:
    """Items from comparison rows (`prompt, answer1, answer2`) or preference rows to be judged anew.

    An answer may be text or messages (their contents are joined). A column such as `model1` names
    the source; without one it is called "answer 1", or "chosen" and "rejected" for preference rows.
    """
    made: list[Pair] = []
    for number, row in enumerate(rows, 1):
        first, second = ("answer1", "answer2") if "answer1" in row else ("chosen", "rejected")
        for column in ("prompt", first, second):
            if row.get(column) is None:
                raise DataError(
                    f"Row {number}: no {column!r}. Labeling needs prompt, answer1 and answer2, "
                    "or prompt, chosen and rejected."
                )
        made.append(
            Pair(
                _prompt(row, number),
                _answer_text(row[first], number, first),
                _answer_text(row[second], number, second),
                {"label": _named(row, "a", first)},
                {"label": _named(row, "b", second)},
                {**(provenance or {}), **_margin(row), "row": number},
            )
        )
    return made


def _margin(row: Mapping[str, Any]) -> dict[str, float]:
    """How much better a reward took the chosen answer to be, where the row says so."""
    margin = row.get("margin")
    if isinstance(margin, bool) or not isinstance(margin, int | float):
        return {}
    return {"margin": float(margin)} if math.isfinite(margin) else {}


def _prompt(row: Mapping[str, Any], number: int) -> Sequence[Message]:
    messages = as_messages(row["prompt"], f"row {number}")
    tools, kwargs = tools_of(row), kwargs_of(row)
    return Prompt(messages, tools, kwargs) if tools or kwargs else messages


def _named(row: Mapping[str, Any], side: str, column: str) -> str:
    for key in _NAMED_BY[side]:
        if row.get(key):
            return str(row[key])
    return column.replace("answer", "answer ")


def _answer_text(answer: object, number: int, column: str) -> str:
    if isinstance(answer, str):
        return answer
    turns = as_messages(answer, f"row {number}, {column}")
    thinking = next((thought(turn) for turn in cast("Sequence[Message]", answer)), "")
    return with_thought("\n\n".join(said(turn) for turn in turns), thinking)


def _squeeze(text: str) -> str:
    return " ".join(text.split())


def source_run(items: Iterable[JudgedItem]) -> str | None:
    """The run that wrote most of these answers: the one a DPO run on them continues from."""
    runs = Counter(
        str(source["run"])
        for item in items
        for source in (item.source_a, item.source_b)
        if source.get("run")
    )
    return runs.most_common(1)[0][0] if runs else None
