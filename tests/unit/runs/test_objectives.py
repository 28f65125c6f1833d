"""Objectives: TRL's classes, dataset types, and advice where they do not match."""

from __future__ import annotations

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
    assert set(objectives.REWARDED) == {"grpo", "rloo"}
    assert set(objectives.WITH_REFERENCE) == {"dpo", "kto", "grpo", "rloo"}
