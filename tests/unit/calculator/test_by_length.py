"""Memory at other lengths, the rows that need them, and where shifted attention begins to save."""

from __future__ import annotations

import numpy as np
import pytest

from studio.calculator import estimate
from studio.calculator.by_length import by_length, row_lengths
from studio.calculator.dataset_lengths import Lengths
from studio.calculator.shifted_saving import shifted_from, shifted_saving
from tests.unit.calculator.conftest import MISTRAL, recipe_of

ROWS = np.array([[100], [400], [600], [2000]])


def test_each_point_is_the_estimate_of_that_length():
    recipe = recipe_of("pocket").with_(max_length=600)
    points = by_length(estimate(recipe, "T4"), Lengths(4, ROWS, ROWS, "by hand"))
    assert [point.max_length for point in points] == sorted({p.max_length for p in points})
    assert {600, 512, 4096} <= {point.max_length for point in points}
    assert [p.memory for p in points] == sorted(p.memory for p in points)
    for point in points:
        alone = estimate(recipe.with_(max_length=point.max_length), "T4")
        assert (point.memory, point.verdict) == (alone.memory.total, alone.verdict)
    longer = {point.max_length: point.rows_longer for point in points}
    assert (longer[512], longer[600], longer[2048]) == (0.5, 0.25, 0.0)
    assert by_length(estimate(recipe, "T4"))[0].rows_longer is None


def test_rows_beyond_the_bases_own_context_are_counted():
    given = {"rope_type": "yarn", "factor": 4.0}
    recipe = recipe_of("pocket").with_(max_length=2048, rope_parameters=given)
    found = row_lengths(estimate(recipe, "T4"), Lengths(4, ROWS, ROWS, "by hand"))
    assert (found.reads, found.beyond, found.rows) == (512, 0.5, 4)
    assert sum(found.counts) == 4 and len(found.edges) == len(found.counts) + 1
    assert found.counts[-1] == 1 and found.edges[-1] > 2000


def test_shifted_attention_saves_a_tenth_from_the_length_named():
    work = estimate(recipe_of(MISTRAL), "T4").work
    least = shifted_from(work)
    assert shifted_saving(work, least) == pytest.approx(0.1, abs=0.002)
    assert shifted_saving(work, least // 2) < 0.1 < shifted_saving(work, least * 2) < 0.75
