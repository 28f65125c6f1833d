"""Objectives: TRL's classes, dataset types, and advice where they do not match."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from studio.runs import objectives
from studio.runs.objectives import OBJECTIVES


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_objective_finds_trls_trainer_and_config(name):
    trainer, config = OBJECTIVES[name].classes()
    assert trainer.__name__ == OBJECTIVES[name].trainer
    assert config.__name__ == OBJECTIVES[name].config


def test_experimental_objectives_have_no_subcommand_of_trl():
    assert OBJECTIVES["sft"].trl == "sft"
    assert OBJECTIVES["orpo"].trl is None


def test_advice_is_about_the_dataset_type():
    assert "labels export --format kto" in objectives.conversion("kto", "comparison")
    assert objectives.conversion("orpo", "comparison") == objectives.conversion("dpo", "comparison")
    assert objectives.conversion("sft", "nonsense").startswith("choose another dataset")


def test_groups_of_objectives():
    assert {"grpo", "rloo"} <= set(objectives.REWARDED)
    assert {"dpo", "kto", *objectives.REWARDED} == set(objectives.WITH_REFERENCE)
    legacy = {name for name, row in OBJECTIVES.items() if row.legacy}
    assert legacy == {name for name, row in OBJECTIVES.items() if _prepares_quantized(row)}


def _prepares_quantized(row: objectives.Objective) -> bool:
    source = inspect.getsource(inspect.getmodule(row.classes()[0]))
    return "prepare_model_for_kbit_training" in source


@pytest.mark.parametrize("name", OBJECTIVES)
def test_legacy_objectives_alone_do_without_a_fused_loss(name):
    row = OBJECTIVES[name]
    modules = {inspect.getmodule(kind) for kind in row.classes()[0].__mro__}
    sources = [inspect.getsource(each) for each in modules if each.__name__.startswith("trl.")]
    heads = ("fused_lm_head=True", "ChunkedDivergenceFunction.apply")
    assert row.fused_loss == any(head in source for source in sources for head in heads)


def test_a_field_names_objectives_or_traits():
    assert objectives.named("rewarded", "rloo") and not objectives.named("rewarded", "dpo")
    assert objectives.named("online", "distillation") and objectives.named(
        "teacher", "distillation"
    )
    assert not objectives.named("rewarded", "distillation")
    assert objectives.named("losses", "dpo") and not objectives.named("losses", "rloo")
    assert objectives.named("sft dpo", "dpo") and not objectives.named("sft dpo", "kto")


def test_a_new_objective_needs_its_row_and_its_name():
    """What CONTRIBUTING promises: whatever else depends on an objective asks its row."""
    root = Path(__file__).resolve().parents[3]
    files = [path for top in ("studio", "components") for path in (root / top).rglob("*.*")]
    sources = [path for path in files if path.suffix in (".py", ".js")]
    naming = {p.relative_to(root).as_posix() for p in sources if "gmpo" in p.read_text("utf-8")}
    assert naming == {"studio/runs/fields.py", "studio/runs/objectives.py"}
