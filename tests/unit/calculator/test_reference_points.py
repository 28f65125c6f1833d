"""Known figures are met, and the README's table and plot are the calculator's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from studio.calculator.reference_points import MEASURED, RULES_OF_THUMB


@pytest.mark.parametrize("point", (*MEASURED, *RULES_OF_THUMB), ids=lambda point: point.label)
def test_known_figures_are_met(point):
    assert abs(point.error()) < 0.15


def test_measured_figures_are_the_published_ones(real_data):
    for point in MEASURED:
        tail = f"rank{point.recipe.lora_r}{'-dora' if point.recipe.method == 'dora' else ''}"
        path = real_data / "peft_results" / f"lora--llama-3.2-3B-{tail}.json"
        published = json.loads(path.read_text())["train_info"]["accelerator_memory_max"]
        assert point.peak == published


def test_the_readme_has_the_table_and_the_plot():
    from benchmarks.estimates import plot, table

    root = Path(__file__).resolve().parents[3]
    assert table() in (root / "README.md").read_text(encoding="utf-8")
    assert plot() == (root / "docs/images/memory.svg").read_text(encoding="utf-8")
