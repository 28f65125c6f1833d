"""The memory benchmark's fit: made on one half of the points, judged on the other."""

from __future__ import annotations

import pytest

from benchmarks.memory import Measured, Setting, fit, report


def test_the_overhead_is_fitted_on_one_half_and_judged_on_the_other():
    setting = Setting("a/b", "sft", "lora", 256, 1, False)
    points = [
        Measured(setting, 10**9 + 11 * n * 10**8, 0, n * 10**9, 5 * 10**8) for n in range(1, 13)
    ]
    found = fit(points)
    assert found.constant == pytest.approx(1e9) and found.factor == pytest.approx(1.1)
    assert found.error_after < 1e-6 < found.error_before
    assert "with the fit" in report(points)
