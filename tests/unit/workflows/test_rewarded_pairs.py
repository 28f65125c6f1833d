"""Pairs that a reward chose: rows with margins, and the smallest of these asked about first."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio import Studio
from studio.core.errors import DataError
from studio.labels.pair_filter import items_from_rows, order_pairs
from studio.rewards.pairs import RewardedPair
from studio.workflows import rewarded_pairs

PAIRS = [
    RewardedPair([{"role": "user", "content": f"Say {n}."}], f"good {n}", f"bad {n}", margin)
    for n, margin in enumerate((0.9, 0.1, 0.5, 0.3, 0.7, 0.2, 0.8, 0.4))
]


def test_a_project_asks_about_the_smallest_margins_first(tmp_path: Path):
    studio = Studio(tmp_path / "home")
    made, count = rewarded_pairs.project(studio, PAIRS, "by reward", {"label": "first"}, {})
    assert (count, made.order) == (8, "uncertain")
    with pytest.raises(DataError, match="there is no pair"):
        rewarded_pairs.project(studio, [], "none", {}, {})
    assert rewarded_pairs.said(PAIRS[:2]) == "2 pairs, mean margin 0.50"
    studio.close()


def test_margins_of_rows_order_a_project_made_of_them():
    items = items_from_rows(rewarded_pairs.rows(PAIRS))
    assert [item.provenance["margin"] for item in items] == [pair.margin for pair in PAIRS]
    ordered = order_pairs([(str(at), item) for at, item in enumerate(items)], "uncertain", "seed")
    informative = [item.provenance["margin"] for _, item, by_chance in ordered if not by_chance]
    assert informative == sorted(informative)
    assert (
        "margin"
        not in items_from_rows(
            [{"prompt": "a", "chosen": "b", "rejected": "c", "margin": float("nan")}]
        )[0].provenance
    )
