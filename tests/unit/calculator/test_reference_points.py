"""Known figures are met, and the README's table and plot are the calculator's."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from studio.calculator import estimate
from studio.calculator.gpus import find_gpu
from studio.calculator.published_points import PUBLISHED
from studio.calculator.reference_points import MEASURED, RULES_OF_THUMB


@pytest.mark.parametrize("point", (*MEASURED, *RULES_OF_THUMB), ids=lambda point: point.label)
def test_known_figures_are_met(point):
    assert abs(point.error()) < 0.15


def test_each_figure_names_its_loop_and_loss_head():
    for point in MEASURED:
        assert point.loop_words == "a plain PyTorch loop, plain cross-entropy over all logits"
        assert point.in_the_studio() < 0.85 * point.estimated(), "the fused head holds no logits"
    full, qlora = RULES_OF_THUMB
    assert full.loop_words == "TRL's trainer, fused loss head"
    assert qlora.loop_words == "the studio's (TRL), fused loss head"


def test_published_figures_lie_where_the_estimate_says():
    """LoRA within 15 %, and QLoRA inside its range."""
    assert len(MEASURED + PUBLISHED) >= 35
    assert len({point.label for point in PUBLISHED}) == len(PUBLISHED)
    for point in PUBLISHED:
        assert point.source.startswith("https://github.com/")
        if point.recipe.method == "qlora":
            least, most = point.memory().range
            assert least < point.peak < most, point.label
        else:
            assert abs(point.error()) < 0.15, point.label
    loops = {point.loop_words for point in PUBLISHED}
    assert "LitGPT's loop, cross-entropy over chunks of the logits" in loops


def test_qlora_is_a_range_and_slack_stands_beside_the_rest():
    qlora = RULES_OF_THUMB[1].memory()
    least, most = qlora.range
    assert least == qlora.total and 1.32 * least < most < 1.5 * least
    assert least < RULES_OF_THUMB[1].peak < most
    assert " to " in qlora.words() and any("QLoRA's peak is a range" in n for n in qlora.notes)
    plain = MEASURED[0].memory()
    assert 1.04 < plain.range[0] / plain.total < 1.06 and 1.17 < plain.range[1] / plain.total < 1.19
    assert not plain.uncertain and " to " not in plain.words()


def test_a_range_beyond_the_card_is_tight():
    point = RULES_OF_THUMB[1]
    total, most = point.estimated(), point.memory().range[1]
    for memory, verdict in (
        (most + 1, "fits"),
        ((total + most) // 2, "tight"),
        (total - 1, "does not fit"),
    ):
        assert estimate(point.recipe, replace(find_gpu("H200"), memory=memory)).verdict == verdict


def test_measured_figures_are_the_published_ones(real_data):
    for point in MEASURED:
        tail = f"rank{point.recipe.lora_r}{'-dora' if point.recipe.method == 'dora' else ''}"
        path = real_data / "peft_results" / f"lora--llama-3.2-3B-{tail}.json"
        published = json.loads(path.read_text())["train_info"]["accelerator_memory_max"]
        assert point.peak == published


def test_the_docs_have_the_table_and_the_plot():
    from benchmarks.estimates import plot, table

    root = Path(__file__).resolve().parents[3]
    assert table() in (root / "docs/figures.md").read_text(encoding="utf-8")
    assert plot() == (root / "docs/images/memory.svg").read_text(encoding="utf-8")
