"""Saved comparisons and the projects made of them."""

from __future__ import annotations

import pytest

from studio import Studio
from studio.core.errors import ConfigError
from studio.core.workspace import new_id
from studio.workflows import comparisons
from tests.instant import finished_run, prompts


@pytest.fixture
def studio(tmp_path):
    made = Studio(tmp_path / "home")
    yield made
    made.close()


def compared(sides, texts):
    cells = [[{"text": text, "tokens": 1, "ended": "stop", "error": None}] for text in texts]
    return comparisons.Comparison(
        new_id("comparison"), "kept", 0.0, tuple(sides), prompts(1), cells, {"seed": 4}
    )


def test_a_comparison_saved_with_a_full_fine_tune_names_no_adapter(studio):
    lora, full = finished_run(studio, "lora"), finished_run(studio, "full", "full")
    sides = [comparisons.side(studio, f"run:{run.id}") for run in (lora, full)]
    kept = compared(sides, ["x", "y"])
    comparisons.save(studio, kept)
    project, added, _ = comparisons.to_label(studio, comparisons.load(studio, kept.id))
    (item,) = studio.labels.labelled_pairs(project)
    assert added == 1 and item.source_a["adapter"] == f"runs/{lora.id}/adapter"
    assert (studio.workspace.home / item.source_a["adapter"]).is_dir()
    assert item.source_b["run"] == full.id and item.source_b["adapter"] is None
    assert item.source_b["seed"] == 4 and item.source_b["recipe"] == sides[1].recipe


def test_a_column_is_a_base_a_run_or_one_of_its_checkpoints(studio):
    run = finished_run(studio, "made")
    assert comparisons.side(studio, "base:pocket").label == "pocket (base)"
    assert comparisons.side(studio, f"run:{run.id}@20").key == f"{run.id}@20"
    with pytest.raises(ConfigError, match="named by its step, not 'x'"):
        comparisons.side(studio, f"run:{run.id}@x")
    with pytest.raises(ConfigError, match="at least one column"):
        comparisons.sides(studio, ["", None])


def test_what_would_make_no_pair_is_refused(studio):
    base = comparisons.side(studio, "base:pocket")
    with pytest.raises(ConfigError, match="two columns"):
        comparisons.to_label(studio, compared([base], ["x"]))
    with pytest.raises(ConfigError, match="identical or empty"):
        comparisons.to_label(studio, compared([base, base], ["same", "same"]))
