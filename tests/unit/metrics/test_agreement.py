"""Agreement coefficients against worked examples, and PandaLM's three published raters."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from pathlib import Path

import pytest

from studio.core.errors import ConfigError
from studio.metrics import agreement


def test_cohen_kappa_of_the_textbook_table():
    # 20 both yes, 5 yes/no, 10 no/yes, 15 both no: seen 0.7, chance 0.5*0.6 + 0.5*0.4 = 0.5
    first = ["y"] * 25 + ["n"] * 25
    second = ["y"] * 20 + ["n"] * 5 + ["y"] * 10 + ["n"] * 15
    assert agreement.cohen_kappa(first, second) == pytest.approx(0.4)
    assert agreement.cohen_kappa(["a", None], ["a", "b"]) is None  # one category, no chance
    with pytest.raises(ConfigError, match="same items"):
        agreement.cohen_kappa(["a"], [])


def test_fleiss_kappa_of_fleiss_own_kind_of_table():
    # ten subjects, fourteen raters, five categories: the worked example of the kappa literature
    table = [
        [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
    ]  # fmt: skip
    assert agreement.fleiss_kappa(table) == pytest.approx(0.210, abs=5e-4)
    with pytest.raises(ConfigError, match="Krippendorff"):
        agreement.fleiss_kappa([[1, 1], [1, 2]])


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
    assert agreement.raw_agreement([]) is None and agreement.fleiss_kappa([]) is None


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
    assert agreement.krippendorff_alpha(units) == pytest.approx(_slow_alpha(units), abs=1e-12)
    equal = [(u[i] == u[j]) for u in units for i, j in ((0, 1), (0, 2), (1, 2))]
    assert agreement.raw_agreement(units) == pytest.approx(sum(equal) / len(equal))
    # with complete data alpha is Fleiss' kappa with one correction: 1 - (1 - k)(1 - 1/n), n values
    kappa = agreement.fleiss_kappa(agreement.fleiss_counts(units))
    assert kappa is not None
    corrected = 1 - (1 - kappa) * (1 - 1 / (3 * len(units)))
    assert agreement.krippendorff_alpha(units) == pytest.approx(corrected, abs=1e-12)
