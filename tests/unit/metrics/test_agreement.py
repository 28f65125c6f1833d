"""Agreement against worked examples and PandaLM's three published annotators."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from pathlib import Path

import pytest

from studio.metrics import agreement


def test_krippendorff_alpha_of_his_own_example():
    # Krippendorff (2011), section C: four observers, twelve units, missing values; alpha = 0.743
    rows = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
        [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
    ]
    units = list(zip(*rows, strict=True))
    assert agreement.krippendorff_alpha(units) == pytest.approx(0.743, abs=5e-4)
    assert agreement.unanimous(units) == (8, 11)


def test_perfect_absent_and_undefined_agreement():
    assert agreement.krippendorff_alpha([("a", "a"), ("b", "b")]) == 1.0
    assert agreement.raw_agreement([("a", "b", "b"), ("a", "a", None)]) == pytest.approx(2 / 3)
    assert agreement.krippendorff_alpha([("a", None)]) is None
    assert agreement.krippendorff_alpha([("a", "a")]) is None
    assert agreement.raw_agreement([]) is None


def _slow_alpha(units):
    """The definition itself: disagreement within units beside disagreement of all values."""
    within = expected = 0.0
    values = [label for unit in units for label in unit]
    for unit in units:
        for a, b in itertools.permutations(unit, 2):
            within += (a != b) / (len(unit) - 1)
    tally = Counter(values)
    for a, b in itertools.permutations(tally, 2):
        expected += tally[a] * tally[b] / (len(values) - 1)
    return 1 - within / expected


def test_pandalms_three_raters(real_data: Path):
    path = real_data / "pandalm" / "testset-v1.json"
    rows = json.loads(path.read_text(encoding="utf-8"))
    units = [tuple(row[f"annotator{k}"] for k in (1, 2, 3)) for row in rows]
    assert agreement.unanimous(units) == (879, 999)
    assert agreement.krippendorff_alpha(units) == pytest.approx(_slow_alpha(units), abs=1e-9)
    equal = [(u[i] == u[j]) for u in units for i, j in ((0, 1), (0, 2), (1, 2))]
    assert agreement.raw_agreement(units) == pytest.approx(sum(equal) / len(equal))
