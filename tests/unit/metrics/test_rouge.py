"""ROUGE-L against the longest common subsequence by hand."""

from __future__ import annotations

from studio.metrics import text
from studio.metrics.rouge import common, rouge_l


def test_rouge_l_is_the_longest_common_subsequence():
    # police killed the gunman / police kill the gunman: common 3 of 4 and 4 (Lin 2004)
    assert text.rouge_l("police kill the gunman", ["police killed the gunman"]) == 0.75
    assert text.rouge_l("the gunman kill police", ["police killed the gunman"]) == 0.5
    assert text.rouge_l("", ["a"]) == text.rouge_l("a", []) == 0


def test_words_in_common_are_counted_in_order_and_repeats_once():
    assert common(["a", "b", "a", "c"], ["a", "a", "b"]) == 2
    assert rouge_l(["the", "cat", "sat"], ["the", "cat", "ran"]) == 2 / 3
    assert rouge_l([], ["a"]) == 0.0
