"""Numbers, sizes, and times as text."""

from __future__ import annotations

import math

import pytest

from studio.core import formatting


@pytest.mark.parametrize(
    ("number", "text"),
    [(7, "7"), (1_534_976, "1.53 M"), (999_600, "1.00 M"), (12_340, "12.3 k"), (7e10, "70.0 B")],
)
def test_three_digits_and_a_suffix(number, text):
    assert formatting.compact(number) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (1500, "2 KB"), (12_025_908_429, "12.0 GB"), (999_600_000, "1.0 GB")],
)
def test_sizes_are_decimal(size, text):
    assert formatting.bytes_text(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(41, "0:41"), (3000, "50 min"), (8000, "2 h 13 min"), (7200, "2 h"), (400_000, "4 days")],
)
def test_durations(seconds, text):
    assert formatting.duration_text(seconds) == text


def test_an_unknown_duration_is_a_dash_and_has_nothing_left():
    assert {formatting.duration_text(each) for each in (None, math.nan, -1)} == {"\N{EN DASH}"}
    assert formatting.left_text(None) == ""
    assert formatting.left_text(41) == "0:41 left"


@pytest.mark.parametrize(
    ("ago", "text"), [(0, "just now"), (12, "12 s ago"), (300, "5 min ago"), (86_400, "1 day ago")]
)
def test_how_long_ago(ago, text):
    assert formatting.ago_text(1000.0, 1000.0 + ago) == text


def test_plurals():
    assert formatting.plural(1, "row") == "1 row"
    assert formatting.plural(1085, "row") == "1,085 rows"
    assert formatting.plural(2, "entry", "entries") == "2 entries"


@pytest.mark.parametrize(
    ("label", "text"),
    [("Target modules", "target modules"), ("LoRA rank", "LoRA rank"), ("Top p", "top p")],
)
def test_a_label_within_a_sentence_keeps_its_names(label, text):
    assert formatting.in_a_sentence(label) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0.4 s"), (9.94, "9.9 s"), (9.96, "10 s"), (59.4, "59 s"), (59.6, "1 min"),
     (190.2, "3 min 10 s"), (3599.6, "1 h"), (8000, "2 h 13 min")],
)  # fmt: skip
def test_what_something_took_is_in_words(seconds: float, text: str) -> None:
    assert formatting.took_text(seconds) == text
