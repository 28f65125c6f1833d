"""Recall, MRR and nDCG against values worked out by hand, and Spearman against SciPy's."""

import math

import numpy as np
import pytest

from studio.metrics import retrieval


def test_figures_of_one_query():
    found = retrieval.figures(["b", "a", "c", "d"], {"a", "d", "z"})
    ideal = 1 + 1 / math.log2(3) + 1 / math.log2(4)
    assert found == {
        "recall@1": 0.0,
        "recall@10": pytest.approx(2 / 3),
        "mrr@10": 0.5,
        "ndcg@10": pytest.approx((1 / math.log2(3) + 1 / math.log2(5)) / ideal),
    }
    nothing = retrieval.figures([str(n) for n in range(10)] + ["a"], {"a"})
    assert set(nothing.values()) == {0.0}


def test_intervals_are_over_queries():
    each = [retrieval.figures(["a"], {"a"})] * 6 + [retrieval.figures(["b"], {"a"})] * 2
    found = retrieval.with_intervals(each)["recall@1"]
    assert found.value == 0.75 and found.count == 8 and 0 < found.low < 0.75 < found.high <= 1
    assert retrieval.with_intervals([]) == {}


def test_spearman_is_scipys_with_ties():
    scipy_stats = pytest.importorskip("scipy.stats")
    draw = np.random.default_rng(0)
    scores, wanted = draw.normal(size=60), draw.integers(0, 5, size=60)
    found = retrieval.spearman(scores.tolist(), wanted.tolist())
    assert found is not None and found.low < found.value < found.high
    assert found.value == pytest.approx(scipy_stats.spearmanr(scores, wanted).statistic)
    assert retrieval.spearman([1.0, 2.0, 3.0], [1.0, 1.0, 1.0]) is None
