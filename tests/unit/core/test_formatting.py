"""Numbers, sizes and times as people read them."""

from __future__ import annotations

import pytest

from studio.core import formatting


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (3, "3"),
        (999, "999"),
        (1085, "1.08 k"),
        (1_534_976, "1.53 M"),
        (999_999, "1.00 M"),
        (1_100_048_384, "1.10 B"),
        (12_345_678, "12.3 M"),
        (3e12, "3.00 T"),
    ],
)
def test_compact(number, text):
    assert formatting.compact(number) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (2_048, "2 KB"),
        (5_000_000, "5.0 MB"),
        (12_025_908_429, "12.0 GB"),
        (250 * 10**9, "250 GB"),
        (3 * 10**12, "3.0 TB"),
    ],
)
def test_bytes(size, text):
    assert formatting.bytes_text(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0:00"),
        (41, "0:41"),
        (250, "4:10"),
        (3000, "50 min"),
        (7200, "2 h"),
        (8000, "2 h 13 min"),
        (3 * 86400, "3 days"),
        (None, "\N{EN DASH}"),
        (-1, "\N{EN DASH}"),
        (float("nan"), "\N{EN DASH}"),
    ],
)
def test_durations(seconds, text):
    assert formatting.duration_text(seconds) == text


@pytest.mark.parametrize(
    ("ago", "text"),
    [
        (0, "just now"),
        (12, "12 s ago"),
        (240, "4 min ago"),
        (10_800, "3 h ago"),
        (90_000, "1 day ago"),
        (180_000, "2 days ago"),
        (-5, "just now"),
    ],
)
def test_ago(ago, text):
    assert formatting.ago_text(1_000_000 - ago, now=1_000_000) == text


def test_one_and_many():
    assert formatting.plural(1, "row") == "1 row"
    assert formatting.plural(1085, "row") == "1,085 rows"
    assert formatting.plural(2, "entry", "entries") == "2 entries"
