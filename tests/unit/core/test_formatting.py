"""Numbers, sizes, and times as text."""

from __future__ import annotations

import math
import re
from pathlib import Path

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
    [(0, "0 B"), (1500, "1.5 kB"), (12_025_908_429, "12.0 GB"), (999_600_000, "1.0 GB")],
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
    assert formatting.left_text(41) == "under a minute left"
    assert formatting.left_text(200) == "3:20 left"


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


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0 %"), (1, "100 %"), (0.0834, "8.3 %"), (0.73, "73.0 %"), (0.001390642, "0.139 %"),
     (0.99999, "over 99.9 %"), (1.25, "125.0 %"), (-0.5, "-50.0 %"), (None, "\N{EN DASH}")],
)  # fmt: skip
def test_shares_have_one_digit_and_only_all_is_100_percent(share, text):
    assert formatting.percent_text(share) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0002, "2e-4"), (0.002, "2e-3"), (0.01, "0.01"), (3.0, "3"), (0, "0"), (1.5e-5, "1.5e-5")],
)
def test_rates_are_written_as_people_write_them(value, text):
    assert formatting.rate_text(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.135, "1.14"),
        (0.6931, "0.693"),
        (0.0333, "0.0333"),
        (12345.6, "12,346"),
        (1.2e-7, "1.2e-7"),
    ],
)
def test_measured_figures_have_three_digits(value, text):
    assert formatting.figure_text(value) == text


def test_ranges_say_their_unit_once():
    assert formatting.bytes_range(6.3e9, 9.2e9) == "6.3 to 9.2 GB"
    assert formatting.bytes_range(9e8, 1.1e9) == "900 MB to 1.1 GB"
    assert formatting.bytes_of(11.2e9, 24e9) == "11.2 of 24.0 GB"
    assert formatting.percent_range(0.401, 1) == "40.1 to 100 %"


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [(2, 40, "under a minute"), (28, 180, "up to 3 min"), (60, 180, "1 to 3 min"),
     (115, 125, "about 2 min"), (2400, 12_600, "40 min to 3.5 h")],
)  # fmt: skip
def test_estimates_are_rounded(low, high, text):
    assert formatting.span_text(low, high) == text


ROOT = Path(__file__).resolve().parents[3]
# A number that a string formats by itself: per cent, and sizes in bytes.
BY_ITSELF = re.compile(r":,?\.\d%\}(?!\")|:,?\.[0-3]f\} ?%(?![;\"'])|/ ?1e[69]:[^}]*\} ?[GM]B")


def test_no_other_module_formats_shares_or_sizes_by_itself():
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for folder in ("studio", "components")
        for path in (ROOT / folder).rglob("*.py")
        if path.name != "formatting.py"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if BY_ITSELF.search(line) and "hovertemplate" not in line and "style" not in line
    ]
    assert not found, "\n".join(found)


def test_money():
    assert formatting.money_text(0.001, 0.004) == "under 0.01"
    assert formatting.money_text(0.002, 0.034) == "up to 0.03"
    assert formatting.money_text(2.4, 2.401) == "about 2.40"
    assert formatting.money_text(0.12, 0.31) == "0.12 to 0.31"
