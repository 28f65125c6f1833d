"""Self-Instruct's novelty filter: a prompt too like one kept before adds nothing (ROUGE-L).

The measure is ROUGE-L's F1 over lower-case words (Lin 2004), as in Self-Instruct
(arXiv:2212.10560), which compares every prompt with every other. Here only prompts that can reach
the bound are compared: those that share one of the rarer words (prefix filtering, Chaudhuri et al.
2006, exact), by a bit-parallel longest common subsequence (Hyyrö 2004).
"""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from collections.abc import Iterable

import numpy as np

from studio.data.checks.near_duplicates import NEAR
from studio.data.checks.row_checks import prompt_of
from studio.data.types import Progress, Row
from studio.metrics.rouge import common

_WORD = re.compile(r"\w+")


def asked(row: Row) -> str:
    """The prompt of a row as one text: its user turns."""
    prompt = prompt_of(row)
    if isinstance(prompt, str):
        return prompt
    if isinstance(prompt, dict):  # a row without a prompt: plain text
        return str(prompt.get("text", ""))
    said = [turn["content"] for turn in prompt if turn["role"] == "user"]
    return "\n".join(said or [turn["content"] for turn in prompt])


def repeated(rows: Iterable[Row], bound: float, progress: Progress | None = None) -> np.ndarray:
    """For each row, whether its prompt's ROUGE-L with an earlier novel one reaches `bound`."""
    prompts = [_WORD.findall(asked(row).lower()) for row in rows]
    common = Counter(word for words in prompts for word in set(words))
    index: dict[tuple[str, int], list[int]] = {}
    result = np.zeros(len(prompts), bool)
    for at, words in enumerate(prompts):
        if progress and at % 200 == 0:
            progress(at, len(prompts), "Comparing prompts (ROUGE-L)")
        marks = _marks(words, common)
        # F1 >= bound needs this many common words with the shortest prompt that can reach it
        needed = max(1, math.ceil(len(words) * bound / (2 - bound) - 1e-9))
        prefix = marks[: len(marks) - needed + 1]
        near = {other for mark in prefix for other in index.get(mark, ())}
        if any(_reaches(words, prompts[other], bound) for other in near):
            result[at] = True
            continue
        for mark in prefix:
            index.setdefault(mark, []).append(at)
    return result


def _marks(words: list[str], common: Counter[str]) -> list[tuple[str, int]]:
    """Words, rarest first; a word's second occurrence counts as another word."""
    seen: Counter[str] = Counter()
    marks = []
    for word in words:
        marks.append((word, seen[word]))
        seen[word] += 1
    return sorted(marks, key=lambda mark: (common[mark[0]], mark))


def _reaches(one: list[str], other: list[str], bound: float) -> bool:
    total = len(one) + len(other)
    if 2 * min(len(one), len(other)) < bound * total:
        return False
    return 2 * common(one, other) >= bound * total


class Novelty:
    """The same filter for texts that come one by one, with near duplicates told apart."""

    def __init__(self, bound: float):
        self.bound = bound
        self._known: list[tuple[list[str], set[tuple[str, str]]]] = []

    def add(self, text: str) -> str | None:
        """Keep a text for later comparisons, or say why it is nothing new: "near duplicate" or
        "similar"."""
        words = _WORD.findall(text.lower())
        pairs = set(itertools.pairwise(words))
        for known, known_pairs in self._known:
            both = len(pairs | known_pairs)
            if words == known or (both and len(pairs & known_pairs) >= NEAR * both):
                return "near duplicate"
        if any(_reaches(words, known, self.bound) for known, _ in self._known):
            return "similar"
        self._known.append((words, pairs))
        return None
