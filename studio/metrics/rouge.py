"""ROUGE-L of two lists of words (Lin 2004), for scores and for novelty."""

from __future__ import annotations


def rouge_l(one: list[str], other: list[str]) -> float:
    """F1 of the longest common subsequence of two word lists, 0 to 1."""
    if not one or not other:
        return 0.0
    return 2 * common(one, other) / (len(one) + len(other))


def common(one: list[str], other: list[str]) -> int:
    """Length of the longest common subsequence, a machine word of pairs at a time (Hyyrö 2004)."""
    places: dict[str, int] = {}
    for at, word in enumerate(one):
        places[word] = places.get(word, 0) | 1 << at
    full = (1 << len(one)) - 1
    row = full
    for word in other:
        match = row & places.get(word, 0)
        row = ((row + match) | (row - match)) & full
    return len(one) - row.bit_count()
