"""Sweeps: every combination of the values, and what cannot be swept."""

from __future__ import annotations

import pytest

from studio.core.errors import ConfigError
from studio.runs.recipe import Recipe
from studio.runs.sweep import sweep, values_of

DPO = Recipe.defaults("dpo", name="mine")


def test_a_sweep_tries_every_combination():
    recipes = sweep(DPO, {"beta": [0.05, 0.1], "lora_r": [8, 16]})
    assert [(each.beta, each.lora_r) for each in recipes] == [
        (0.05, 8),
        (0.05, 16),
        (0.1, 8),
        (0.1, 16),
    ]
    assert recipes[0].name == "mine beta 0.05, lora_r 8"
    assert {each.learning_rate for each in recipes} == {DPO.learning_rate}


def test_a_value_given_twice_is_tried_once():
    assert len(sweep(DPO, {"beta": values_of("0.1 0.1, 0.2")})) == 2


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "one or two fields"),
        ({"beta": []}, "one or two fields"),
        ({"beta": [1], "lora_r": [1], "seed": [1]}, "one or two fields"),
        ({"betta": [0.1]}, "Did you mean"),
        ({"dataset_name": ["a"]}, "cannot be swept"),
        ({"seed": range(40)}, "40 runs"),
        ({"beta": ["high"]}, "beta"),
    ],
)
def test_what_cannot_be_swept_is_refused(values: dict, said: str):
    with pytest.raises(ConfigError, match=said):
        sweep(DPO, values)


def test_values_are_read_as_people_type_them():
    assert values_of("1e-4, 5e-5") == [1e-4, 5e-5]
    assert values_of("8 16,32") == [8, 16, 32]
    assert values_of("cosine true") == ["cosine", True]
