"""How a metric's figures are written: shares in per cent, the rest in their own unit."""

from __future__ import annotations

import pytest

from studio.evaluation.request import METRICS
from studio.metrics.figures import (
    SHARES,
    difference_text,
    interval_text,
    metric_label,
    scored_text,
    value_text,
)


def found(value: float, low: float | None = None, high: float | None = None) -> dict:
    return {"value": value, "low": low, "high": high}


def test_every_share_is_a_metric_and_every_metric_that_counts_is_a_share() -> None:
    assert set(METRICS) >= SHARES
    counts = {name for name, (_, says, _) in METRICS.items() if says.startswith("Share of")}
    assert counts <= SHARES


@pytest.mark.parametrize(
    ("name", "written"), [("exact_match", "17.5 %"), ("loss", "0.175"), ("rouge_l", "0.175")]
)
def test_only_a_share_is_in_per_cent(name: str, written: str) -> None:
    assert value_text(name, 0.175) == written
    assert scored_text(name, found(0.175)) == written


def test_an_interval_is_in_the_metrics_unit() -> None:
    assert interval_text("contains", 0.401, 0.802) == "40.1 to 80.2 %"
    assert scored_text("loss", found(1.5, 1.25, 1.75)) == "1.5 (1.25 to 1.75)"
    assert scored_text("regex", found(1.0, 0.965, 1.0)) == "100 % (96.5 to 100 %)"


def test_a_difference_of_shares_is_in_points() -> None:
    assert difference_text("regex", found(0.04, -0.012, 0.091)) == "+4.0 points (-1.2 to +9.1)"
    assert difference_text("regex", found(-0.04)) == "-4.0 points"
    assert difference_text("loss", found(-0.5, -0.7, -0.3)) == "-0.5 (-0.7 to -0.3)"


def test_a_metric_is_named_as_its_makers_write_it() -> None:
    assert (metric_label("rouge_l"), metric_label("exact_match")) == ("ROUGE-L", "exact match")
